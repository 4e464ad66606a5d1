import { Button, Card, Group, Stack, Text, Title } from "@mantine/core";
import { useState } from "react";

import type { Session, SessionType } from "../api/client";
import { ApiError } from "../api/errors";
import { useAway } from "../live/useAway";
import { useNow } from "../parts/clock";
import { ErrorNote } from "../parts/ErrorNote";
import { recall, remember } from "../parts/storage";
import { count } from "../parts/words";
import { CardState } from "./CardState";
import { ConnectRow } from "./ConnectRow";
import { DesktopMenu } from "./DesktopMenu";
import { type Desktop, isOffered, keyOf, sessionOf, typeOf } from "./desktops";
import { type Opened, useOpenDesktop } from "./queries";
import type { Way } from "./ways";

interface CardProps {
  desktop: Desktop;
  listedAt: number; // when the director said so, milliseconds since the epoch
  focused: boolean; // its primary act takes the focus when it appears
}

/** DesktopCard is a host or a pool: how it is in words, and the one act that leads to it. */
export function DesktopCard({ desktop, listedAt, focused }: CardProps) {
  const open = useOpenDesktop();
  const now = useNow(10_000);
  const [chosen, setChosen] = useState<SessionType>();
  const type = typeOf(desktop, chosen, recall(`type.${keyOf(desktop)}`));
  const session = sessionOf(desktop, type);
  const opened = stillThere(open.data, desktop, listedAt, now);

  const go = (way?: Way) => {
    open.mutate({ desktop, type, ...(way ? { way } : {}) });
  };
  const choose = (type: SessionType) => {
    setChosen(type);
    remember(`type.${keyOf(desktop)}`, type);
    open.reset();
  };
  return (
    <Card component="section" withBorder padding="md" className="desktop" aria-label={desktop.name}>
      <Stack gap="xs" flex={1}>
        <Heading desktop={desktop} type={type} />
        <CardState desktop={desktop} session={session} step={open.isPending ? open.step : undefined} />
        {!open.isPending && (
          <ErrorNote
            title={`${desktop.name} cannot be opened`}
            error={open.error}
            next={nextOf(open.error)}
          />
        )}
        <Group mt="auto" gap={6} justify="space-between" wrap="nowrap" align="flex-end">
          {opened ? (
            <ConnectRow connection={opened.connection} />
          ) : (
            <Act
              desktop={desktop}
              session={session}
              type={type}
              focused={focused}
              busy={open.isPending}
              onGo={go}
            />
          )}
          <DesktopMenu
            desktop={desktop}
            type={type}
            session={session}
            busy={open.isPending}
            onType={choose}
            onGo={go}
          />
        </Group>
      </Stack>
    </Card>
  );
}

// What was opened can be entered until its key ends or its session is gone.
function stillThere(opened: Opened | undefined, desktop: Desktop, listedAt: number, now: number) {
  if (!opened || now >= opened.connection.expiresAt) return undefined;
  const listed = desktop.sessions.some(({ id }) => id === opened.session);
  const isListing = desktop.state !== "named"; // a host that was only named lists nothing
  return isListing && listedAt > opened.at && !listed ? undefined : opened;
}

// What the director's sentence cannot know: that a name was typed here.
function nextOf(error: Error | null): string {
  return error instanceof ApiError && error.code === "not-found"
    ? "Check the name, or ask your administrator whether the host is registered."
    : "";
}

function Heading({ desktop, type }: { desktop: Desktop; type: SessionType }) {
  const aside =
    desktop.kind === "pool"
      ? `${String(desktop.free)} of ${count(desktop.hosts, "host")} free`
      : desktop.sessions.length > 0 || type === "virtual"
        ? type
        : ""; // a console is what everybody expects
  return (
    <Group justify="space-between" align="baseline" wrap="nowrap">
      <Title order={2} size="h4" className="name">
        {desktop.name}
      </Title>
      <Text size="sm" c="dimmed" className="aside">
        {aside}
      </Text>
    </Group>
  );
}

interface ActProps {
  desktop: Desktop;
  session: Session | undefined;
  type: SessionType;
  focused: boolean;
  busy: boolean;
  onGo: () => void;
}

// A button that cannot be pressed just now keeps the focus, so that who waits with
// a finger on Enter is not thrown out.
function Act({ desktop, session, type, focused, busy, onGo }: ActProps) {
  const away = useAway();
  const passing = session?.status === "creating" || session?.status === "closing";
  const rests = away || passing || !isOffered(desktop, type);
  return (
    <Button
      size="sm"
      autoFocus={focused}
      loading={busy}
      className="act"
      variant={rests ? "default" : "filled"}
      aria-disabled={rests}
      {...(rests ? { "data-disabled": true } : {})}
      onClick={() => {
        if (!rests) onGo();
      }}
    >
      {session ? "Resume" : desktop.kind === "pool" ? "Open a desktop" : "Open"}
    </Button>
  );
}
