import { Button, Card, Group, SegmentedControl, Stack, Text, Title } from "@mantine/core";
import { useState } from "react";

import type { Session, SessionType } from "../api/client";
import { ErrorNote } from "../parts/ErrorNote";
import { StateWord } from "../parts/StateWord";
import { recall, remember } from "../parts/storage";
import { useNow } from "../parts/useNow";
import { SessionState } from "../sessions/SessionState";
import { CloseButton } from "./CloseButton";
import { ConnectRow } from "./ConnectRow";
import type { Desktop } from "./desktops";
import { useOpenDesktop } from "./queries";

interface CardProps {
  desktop: Desktop;
  listedAt: number; // when its sessions were listed, milliseconds since the epoch
  focused: boolean; // its primary act takes the focus when it appears
}

/** DesktopCard is one name: what runs there, and the one act that leads to it. */
export function DesktopCard({ desktop: { name, sessions }, listedAt, focused }: CardProps) {
  const open = useOpenDesktop();
  const now = useNow(10_000);
  const [type, setType] = useState<SessionType>(() =>
    recall(`type.${name}`) === "virtual" ? "virtual" : "console",
  );
  const [session, ...others] = sessions;

  const connection = open.data;
  const gone =
    connection && listedAt > connection.readyAt && !sessions.some(({ id }) => id === connection.sessionId);
  const ready = connection && !gone && now < connection.expiresAt ? connection : undefined;

  return (
    <Card component="section" withBorder padding="md" aria-label={name}>
      <Stack gap="sm" h="100%" justify="space-between">
        <Stack gap={6}>
          <Group justify="space-between" wrap="nowrap">
            <Title order={2} size="h4" className="name">
              {name}
            </Title>
            {session && (
              <Text size="sm" c="dimmed">
                {session.type}
              </Text>
            )}
          </Group>
          <State session={session} step={open.isPending ? open.step : ""} now={now} />
          {others.map((other) => (
            <Group key={other.id} justify="space-between" wrap="nowrap">
              <SessionState session={other} now={now} mine />
              <CloseButton session={other} server={name} />
            </Group>
          ))}
          {!session && !ready && (
            <SegmentedControl
              size="xs"
              aria-label={`Kind of session on ${name}`}
              data={["console", "virtual"]}
              value={type}
              disabled={open.isPending}
              onChange={(chosen) => {
                setType(chosen);
                remember(`type.${name}`, chosen);
              }}
            />
          )}
          {!open.isPending && <ErrorNote title={`${name} cannot be opened`} error={open.error} />}
        </Stack>
        <Group justify="space-between" align="flex-end">
          {ready ? (
            <ConnectRow connection={ready} />
          ) : (
            <Button
              size="sm"
              autoFocus={focused}
              loading={open.isPending}
              disabled={session?.status === "closing"}
              onClick={() => {
                open.mutate({ server: name, type: session?.type ?? type });
              }}
            >
              {session ? "Resume" : "Open"}
            </Button>
          )}
          {session && <CloseButton session={session} server={name} />}
        </Group>
      </Stack>
    </Card>
  );
}

function State({ session, step, now }: { session: Session | undefined; step: string; now: number }) {
  return (
    <div aria-live="polite">
      {step !== "" && <StateWord tone="working">{step}</StateWord>}
      {step === "" && session && <SessionState session={session} now={now} mine />}
      {step === "" && !session && <StateWord tone="off">No session</StateWord>}
    </div>
  );
}
