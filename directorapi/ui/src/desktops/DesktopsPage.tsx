import { Alert, SimpleGrid, Skeleton, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import type { Session } from "../api/client";
import { ErrorNote } from "../parts/ErrorNote";
import { MoreRows } from "../parts/MoreRows";
import { useShown } from "../parts/useShown";
import { CustomCard } from "./CustomCard";
import { DesktopCard } from "./DesktopCard";
import { allowCustom, desktopsOf } from "./desktops";
import { myServersQuery, mySessionsQuery } from "./queries";

const columns = { base: 1, sm: 2, lg: 3 };

/** DesktopsPage shows a card for each desktop that the caller may ask for. */
export function DesktopsPage() {
  const servers = useQuery(myServersQuery);
  const sessions = useQuery(mySessionsQuery);

  if (servers.data && sessions.data) {
    return (
      <Stack>
        <ErrorNote title="This list may be old" error={servers.error ?? sessions.error} />
        <Desktops servers={servers.data} sessions={sessions.data} listedAt={sessions.dataUpdatedAt} />
      </Stack>
    );
  }
  if (servers.isError || sessions.isError) {
    return <ErrorNote title="Cannot list your desktops" error={servers.error ?? sessions.error} />;
  }
  return (
    <SimpleGrid cols={columns} aria-label="Loading your desktops" aria-busy="true">
      <Skeleton height={152} />
      <Skeleton height={152} />
    </SimpleGrid>
  );
}

interface Listed {
  servers: string[];
  sessions: Session[];
  listedAt: number; // when the sessions were listed, milliseconds since the epoch
}

function Desktops({ servers, sessions, listedAt }: Listed) {
  const [named, setNamed] = useState<string[]>([]);
  const desktops = desktopsOf(servers.concat(named), sessions);
  const { shown, hidden, more } = useShown(desktops);
  const custom = servers.includes(allowCustom);
  if (desktops.length === 0 && !custom) return <NoDesktops />;

  const first = desktops.find((desktop) => desktop.sessions.length > 0) ?? desktops[0];
  const name = (host: string) => {
    setNamed((old) => (desktops.some((desktop) => desktop.name === host) ? old : [...old, host]));
  };
  return (
    <>
      <SimpleGrid cols={columns} style={{ alignItems: "start" }}>
        {shown.map((desktop) => (
          <DesktopCard
            key={desktop.name}
            desktop={desktop}
            listedAt={listedAt}
            focused={desktop === first || named.includes(desktop.name)}
          />
        ))}
        {custom && <CustomCard focused={first === undefined} onChoose={name} />}
      </SimpleGrid>
      <MoreRows hidden={hidden} onMore={more} />
    </>
  );
}

function NoDesktops() {
  return (
    <Alert title="No desktop is assigned to you yet" color="gray">
      <Text size="sm">
        Ask your administrator to give you a workstation, and tell the name you logged in with. It appears
        here by itself.
      </Text>
    </Alert>
  );
}
