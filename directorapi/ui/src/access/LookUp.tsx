import { Button, NativeSelect, TextInput } from "@mantine/core";
import { type SyntheticEvent, useState } from "react";

import type { View } from "../app/useView";

/** LookUp asks about a user or a host whether the policy names it or not. */
export function LookUp({ view }: { view: View }) {
  const [kind, setKind] = useState("user");
  const [name, setName] = useState("");
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    if (name.trim() !== "") view.set({ user: "", group: "", pool: "", host: "", [kind]: name.trim() });
  };
  return (
    <form onSubmit={submit} className="lookup">
      <NativeSelect
        size="sm"
        aria-label="What to look up"
        data={[
          { value: "user", label: "What does this user reach" },
          { value: "host", label: "Who reaches this host" },
        ]}
        value={kind}
        onChange={(event) => {
          setKind(event.currentTarget.value);
        }}
      />
      <TextInput
        size="sm"
        w={150}
        aria-label="Name to look up"
        placeholder="name"
        value={name}
        onChange={(event) => {
          setName(event.currentTarget.value);
        }}
      />
      <Button type="submit" size="sm" variant="default">
        Look up
      </Button>
    </form>
  );
}
