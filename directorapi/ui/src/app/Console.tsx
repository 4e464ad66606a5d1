import { AppShell, Badge, Group, NavLink, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { NavLink as RouterLink, Outlet, useLocation } from "react-router";

import { agentsQuery } from "../agents/queries";
import { Mark } from "../parts/Mark";
import { UserBar } from "./UserBar";

/** Console is the frame of the pages for admins. */
export function Console() {
  const agents = useQuery(agentsQuery);
  const pending = agents.data?.filter((agent) => agent.state === "pending").length ?? 0;
  return (
    <AppShell header={{ height: 52 }} navbar={{ width: 200, breakpoint: 0 }} padding="lg">
      <AppShell.Header className="bar">
        <Group gap="xs">
          <Mark size={24} />
          <Text fw={600}>dcvix</Text>
          <Text c="dimmed">Console</Text>
        </Group>
        <UserBar realm="admin" />
      </AppShell.Header>
      <AppShell.Navbar p="xs" aria-label="Pages">
        <Rail to="/agents" label="Agents" waiting={pending} />
        <Rail to="/hosts" label="Hosts" />
        <Rail to="/sessions" label="Sessions" />
      </AppShell.Navbar>
      <AppShell.Main>
        <Outlet />
      </AppShell.Main>
    </AppShell>
  );
}

function Rail({ to, label, waiting = 0 }: { to: string; label: string; waiting?: number }) {
  const here = useLocation().pathname === to;
  return (
    <NavLink
      component={RouterLink}
      to={to}
      label={label}
      active={here}
      bdrs={6}
      rightSection={
        waiting > 0 && (
          <Badge size="sm" circle={waiting < 10} aria-label={`${String(waiting)} waiting`}>
            {waiting}
          </Badge>
        )
      }
    />
  );
}
