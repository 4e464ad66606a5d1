import "./console.css";

import { Group, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useRef } from "react";
import { NavLink, Outlet } from "react-router";

import { agentsQuery } from "../agents/queries";
import { Mark } from "../parts/Mark";
import { count } from "../parts/words";
import { Search } from "./Search";
import { UserBar } from "./UserBar";

const pages = [
  { to: "/overview", label: "Overview" },
  { to: "/hosts", label: "Hosts" },
  { to: "/sessions", label: "Sessions" },
  { to: "/agents", label: "Agents" },
  { to: "/access", label: "Access" },
  { to: "/audit", label: "Audit" },
];

/** Console is the frame of the pages for admins: where to go, what to search, who works here. */
export function Console() {
  const main = useRef<HTMLElement>(null);
  return (
    <div className="console">
      <button
        type="button"
        className="skip"
        onClick={() => {
          main.current?.focus();
        }}
      >
        Skip to the page
      </button>
      <header className="bar console-bar">
        <Group gap="xs" wrap="nowrap">
          <Mark size={24} />
          <Text fw={600} className="console-name">
            dcvix
          </Text>
        </Group>
        <Search />
        <UserBar realm="admin" />
      </header>
      <nav className="rail" aria-label="Pages">
        {pages.map(({ to, label }) => (
          <NavLink key={to} to={to} className="rail-link">
            {label}
            {to === "/agents" && <Waiting />}
          </NavLink>
        ))}
      </nav>
      <main className="console-main" ref={main} tabIndex={-1}>
        <Outlet />
      </main>
    </div>
  );
}

function Waiting() {
  const agents = useQuery(agentsQuery);
  const pending = agents.data?.filter((agent) => agent.state === "pending").length ?? 0;
  if (pending === 0) return null;
  return (
    <span
      className="badge"
      role="img"
      aria-label={`${String(pending)} waiting`}
      title={count(pending, "agent") + " waiting"}
    >
      {pending}
    </span>
  );
}
