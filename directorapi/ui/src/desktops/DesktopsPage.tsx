import { Alert, Group, SimpleGrid, Skeleton, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import type { DesktopsResponse } from "../api/client";
import { arrows } from "../keys/arrows";
import { useKeys } from "../keys/keys";
import { ErrorNote } from "../parts/ErrorNote";
import { MoreRows } from "../parts/MoreRows";
import { SearchBox } from "../parts/SearchBox";
import { useFilter } from "../parts/useFilter";
import { useShown } from "../parts/useShown";
import { CustomCard } from "./CustomCard";
import { DesktopCard } from "./DesktopCard";
import { type Desktop, keyOf, named } from "./desktops";
import { myDesktopsQuery } from "./queries";

const columns = { base: 1, sm: 2, lg: 3 };
const moveAmongCards = arrows("button.act, .ways a, .ways button");

/** DesktopsPage shows a card for each desktop that the caller may open. */
export function DesktopsPage() {
  const [search, setSearch] = useFilter("q");
  const desktops = useQuery(myDesktopsQuery);
  return (
    <Stack>
      <Group justify="space-between">
        <Title order={1} size="h3">
          My desktops
        </Title>
        <SearchBox label="Search your desktops" value={search} onChange={setSearch} />
      </Group>
      {desktops.data ? (
        <>
          <ErrorNote title="This list may be old" error={desktops.error} />
          <Desktops listed={desktops.data} listedAt={desktops.dataUpdatedAt} search={search} />
        </>
      ) : desktops.isError ? (
        <ErrorNote title="Cannot list your desktops" error={desktops.error} />
      ) : (
        <Loading />
      )}
    </Stack>
  );
}

function Loading() {
  return (
    <SimpleGrid cols={columns} role="status" aria-label="Loading your desktops" aria-busy="true">
      <Skeleton className="desktop" />
      <Skeleton className="desktop" />
      <Skeleton className="desktop" />
    </SimpleGrid>
  );
}

interface Listed {
  listed: DesktopsResponse;
  listedAt: number; // milliseconds since the epoch
  search: string;
}

function Desktops({ listed, listedAt, search }: Listed) {
  const [hosts, setHosts] = useState<string[]>([]);
  useKeys([
    { keys: "ArrowLeft ArrowRight ArrowUp ArrowDown", does: "Move between the desktops" },
    { keys: "Enter", does: "Open or resume the desktop" },
  ]);
  const all = withNamed(listed.desktops, hosts);
  const found = all.filter((desktop) => matches(desktop, search));
  const { shown, hidden, more } = useShown(found);
  if (all.length === 0 && !listed.custom) return <NoDesktops />;

  const first = all.find(({ sessions }) => sessions.length > 0) ?? all[0];
  return (
    <>
      {found.length === 0 && search !== "" && (
        <Text role="status">No desktop of yours has “{search}” in its name.</Text>
      )}
      <SimpleGrid cols={columns} onKeyDown={moveAmongCards}>
        {shown.map((desktop) => (
          <DesktopCard
            key={keyOf(desktop)}
            desktop={desktop}
            listedAt={listedAt}
            focused={search === "" && (desktop === first || hosts.includes(desktop.name))}
          />
        ))}
        {listed.custom && search === "" && (
          <CustomCard
            focused={first === undefined}
            onChoose={(host) => {
              setHosts((old) => (old.includes(host) ? old : [...old, host]));
            }}
          />
        )}
      </SimpleGrid>
      <MoreRows hidden={hidden} onMore={more} />
    </>
  );
}

// A host that was named gives way to the same one when the director lists it.
function withNamed(listed: readonly Desktop[], hosts: readonly string[]): Desktop[] {
  const known = new Set(
    listed.flatMap(({ name, serverId }) => [name.toLowerCase(), serverId?.toLowerCase()]),
  );
  return [...listed, ...hosts.filter((host) => !known.has(host)).map(named)];
}

function matches({ name, serverId = "", sessions }: Desktop, search: string): boolean {
  const word = search.trim().toLowerCase();
  return [name, serverId, ...sessions.map(({ server_id = "" }) => server_id)].some((text) =>
    text.toLowerCase().includes(word),
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
