import "./console.css";

import { Group, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useRef } from "react";
import { NavLink, Outlet, useNavigate } from "react-router";

import { agentsQuery } from "../agents/queries";
import { useKeys } from "../keys/keys";
import { Mark } from "../parts/Mark";
import { count } from "../parts/words";
import { Search } from "./Search";
import { UserBar } from "./UserBar";

const pages = [
  { to: "/overview", label: "Overview", key: "o" },
  { to: "/hosts", label: "Hosts", key: "h" },
  { to: "/sessions", label: "Sessions", key: "s" },
  { to: "/agents", label: "Agents", key: "a" },
  { to: "/access", label: "Access", key: "c" },
  { to: "/audit", label: "Audit", key: "u" },
];

/** Console is the frame of the pages for admins: where to go, what to search, who works here. */
export function Console() {
  const main = useRef<HTMLElement>(null);
  const navigate = useNavigate();
  useKeys([
    ...pages.map(({ to, label, key }) => ({
      keys: `g ${key}`,
      does: `Go to ${label}`,
      run: () => void navigate(to),
    })),
    { keys: "ArrowDown", does: "Go to the next row of a list" },
    { keys: "Enter", does: "Open what has the focus" },
  ]);
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
