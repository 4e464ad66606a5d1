import { Button, Group, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { loginQuery, type Realm } from "../login/state";
import { useLogout } from "../login/useLogin";
import { ThemeToggle } from "../parts/ThemeToggle";

/** UserBar says who is logged in, and lets them out. */
export function UserBar({ realm }: { realm: Realm }) {
  const login = useQuery(loginQuery(realm));
  const logout = useLogout();
  return (
    <Group gap="xs" wrap="nowrap">
      {realm === "admin" && (
        <Button component="a" href="../" variant="subtle" color="gray" size="compact-sm">
          My desktops
        </Button>
      )}
      {login.data?.user && (
        <Text size="sm" fw={500} truncate maw={220} title={login.data.user}>
          {login.data.user}
        </Text>
      )}
      <Button
        variant="subtle"
        color="gray"
        size="compact-sm"
        loading={logout.isPending}
        onClick={() => {
          logout.mutate();
        }}
      >
        {logout.isError ? "Log out (try again)" : "Log out"}
      </Button>
      <ThemeToggle />
    </Group>
  );
}
