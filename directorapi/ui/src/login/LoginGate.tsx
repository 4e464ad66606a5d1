import { Anchor, Center, Loader, Paper, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { Live } from "../live/Live";
import { Dialog } from "../parts/Dialog";
import { ErrorNote } from "../parts/ErrorNote";
import { Mark } from "../parts/Mark";
import { LoginForm } from "./LoginForm";
import { loginQuery, type Realm } from "./state";
import { useLogout } from "./useLogin";

/**
 * LoginGate shows its page to those who are logged in and the form to others.
 * When a login runs out the form comes over the page, which keeps what was typed.
 */
export function LoginGate({ realm, children }: { realm: Realm; children: ReactNode }) {
  const login = useQuery(loginQuery(realm));

  if (login.isPending) {
    return (
      <Center mih="60vh">
        <Loader aria-label="Asking the director who is logged in" />
      </Center>
    );
  }
  if (login.isError)
    return <ErrorNote title="The director cannot say who is logged in" error={login.error} />;
  if (login.data.state === "out") return <LoginPage realm={realm} />;
  return (
    <>
      {children}
      {login.data.state === "in" && <Live />}
      {login.data.state === "ended" && <LoginAgain realm={realm} user={login.data.user} />}
    </>
  );
}

function LoginPage({ realm }: { realm: Realm }) {
  return (
    <Center component="main" mih="85vh" p="md">
      <Paper w={340} p="xl" withBorder>
        <Stack gap="lg">
          <Stack gap={4} align="center">
            <Mark size={40} />
            <Title order={1} size="h3">
              dcvix
            </Title>
            {realm === "admin" && (
              <Text size="sm" c="dimmed">
                Console for admins
              </Text>
            )}
          </Stack>
          <LoginForm realm={realm} />
        </Stack>
      </Paper>
    </Center>
  );
}

function LoginAgain({ realm, user }: { realm: Realm; user: string }) {
  const logout = useLogout();
  return (
    <Dialog opened title="Your login has ended" size="sm" zIndex={300}>
      <Stack>
        <LoginForm realm={realm} user={user} />
        <Anchor
          component="button"
          type="button"
          size="sm"
          onClick={() => {
            logout.mutate();
          }}
        >
          Log in as somebody else
        </Anchor>
      </Stack>
    </Dialog>
  );
}
