import { Button, Card, Group, SegmentedControl, Stack, Text, Title } from "@mantine/core";
import { useState } from "react";

import type { Session, SessionType } from "../api/client";
import { ErrorNote } from "../parts/ErrorNote";
import { StateWord } from "../parts/StateWord";
import { recall, remember } from "../parts/storage";
import { useNow } from "../parts/clock";
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
    <Card component="section" withBorder padding="md" mih={172} aria-label={name}>
      <Stack gap="sm" flex={1} justify="space-between">
        <Stack gap={6}>
          <Heading name={name} session={session} />
          <State session={session} step={open.isPending ? open.step : ""} now={now} />
          {others.map((other) => (
            <Group key={other.id} justify="space-between" wrap="nowrap">
              <SessionState session={other} now={now} mine />
              <CloseButton session={other} server={name} />
            </Group>
          ))}
          {!session && !ready && (
            <TypeChoice name={name} type={type} onChange={setType} disabled={open.isPending} />
          )}
          {!open.isPending && <ErrorNote title={`${name} cannot be opened`} error={open.error} />}
        </Stack>
        {ready ? (
          <ConnectRow connection={ready} />
        ) : (
          <Group>
            <Button
              size="sm"
              autoFocus={focused}
              loading={open.isPending}
              disabled={session?.status === "creating" || session?.status === "closing"}
              onClick={() => {
                open.mutate({ server: name, type: session?.type ?? type });
              }}
            >
              {session ? "Resume" : "Open"}
            </Button>
          </Group>
        )}
      </Stack>
    </Card>
  );
}

function Heading({ name, session }: { name: string; session: Session | undefined }) {
  return (
    <Group justify="space-between" align="flex-start" wrap="nowrap">
      <Title order={2} size="h4" className="name">
        {name}
      </Title>
      {session && (
        <Group gap={4} wrap="nowrap" mr={-8}>
          <Text size="sm" c="dimmed">
            {session.type}
          </Text>
          <CloseButton session={session} server={name} />
        </Group>
      )}
    </Group>
  );
}

interface Choice {
  name: string;
  type: SessionType;
  onChange: (type: SessionType) => void;
  disabled: boolean;
}

function TypeChoice({ name, type, onChange, disabled }: Choice) {
  return (
    <SegmentedControl
      size="xs"
      transitionDuration={120}
      aria-label={`Kind of session on ${name}`}
      data={["console", "virtual"]}
      value={type}
      disabled={disabled}
      onChange={(chosen) => {
        onChange(chosen);
        remember(`type.${name}`, chosen);
      }}
    />
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
