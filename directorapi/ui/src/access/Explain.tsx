import { Button, Group, NativeSelect, Stack, TextInput } from "@mantine/core";
import { type SyntheticEvent, useState } from "react";

import type { SessionType } from "../api/client";
import { ErrorNote } from "../parts/ErrorNote";
import { groupsOf, useExplain } from "./queries";
import { Reasons } from "./Reasons";

/** A Placement is what is known of a desktop that somebody might ask for; the rest is asked for. */
interface Placement {
  user?: string;
  groups?: string; // with commas between
  server?: string;
  pool?: string;
}

/** Explain says which host somebody would get, and why not the others. */
export function Explain({ user, groups, server, pool }: Placement) {
  const explain = useExplain();
  const [who, setWho] = useState("");
  const [members, setMembers] = useState("");
  const [where, setWhere] = useState("");
  const [kind, setKind] = useState<"serverId" | "poolId">("poolId");
  const [sessionType, setType] = useState<SessionType>("console");
  const placeKnown = server !== undefined || pool !== undefined;
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    explain.mutate({
      userId: user ?? who.trim(),
      groups: groupsOf(groups ?? members),
      sessionType,
      ...(server !== undefined && { serverId: server }),
      ...(pool !== undefined && { poolId: pool }),
      ...(!placeKnown && { [kind]: where.trim() }),
    });
  };
  return (
    <Stack gap="xs">
      <form onSubmit={submit}>
        <Group gap="xs" align="flex-end">
          {user === undefined && (
            <>
              <Field label="For whom" value={who} onChange={setWho} required />
              <Field label="Their groups" value={members} onChange={setMembers} />
            </>
          )}
          {!placeKnown && (
            <>
              <NativeSelect
                label="On a"
                size="sm"
                data={[
                  { value: "poolId", label: "pool" },
                  { value: "serverId", label: "host" },
                ]}
                value={kind}
                onChange={(event) => {
                  setKind(event.currentTarget.value === "poolId" ? "poolId" : "serverId");
                }}
              />
              <Field label="Its name" value={where} onChange={setWhere} required />
            </>
          )}
          <NativeSelect
            label="Session"
            size="sm"
            data={["console", "virtual"]}
            value={sessionType}
            onChange={(event) => {
              setType(event.currentTarget.value === "virtual" ? "virtual" : "console");
            }}
          />
          <Button type="submit" variant="default" size="sm" loading={explain.isPending}>
            Explain
          </Button>
        </Group>
      </form>
      <ErrorNote error={explain.error} />
      {explain.data && <Reasons of={explain.data} />}
    </Stack>
  );
}

function Field({
  label,
  value,
  onChange,
  required = false,
}: {
  label: string;
  value: string;
  onChange: (value: string) => void;
  required?: boolean;
}) {
  return (
    <TextInput
      label={label}
      size="sm"
      w={150}
      required={required}
      withAsterisk={false}
      value={value}
      onChange={(event) => {
        onChange(event.currentTarget.value);
      }}
    />
  );
}
