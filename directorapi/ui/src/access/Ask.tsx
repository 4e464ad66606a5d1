import { Button, Group, TextInput } from "@mantine/core";
import { type SyntheticEvent, useState } from "react";

import type { View } from "../app/useView";

/** Ask takes the name of a person whose access is to be shown, and the groups that a login would bring. */
export function Ask({ view }: { view: View }) {
  const [user, setUser] = useState(view.get("user"));
  const [groups, setGroups] = useState(view.get("groups"));
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    view.set({ user: user.trim(), groups: groups.trim(), pool: "", host: "" });
  };
  return (
    <form onSubmit={submit}>
      <Group gap="xs" align="flex-end">
        <TextInput
          label="User"
          value={user}
          onChange={(event) => {
            setUser(event.currentTarget.value);
          }}
        />
        <TextInput
          label="Groups of the login, if any"
          placeholder="cad, admins"
          value={groups}
          onChange={(event) => {
            setGroups(event.currentTarget.value);
          }}
        />
        <Button type="submit" variant="default">
          What do they reach?
        </Button>
      </Group>
    </form>
  );
}
