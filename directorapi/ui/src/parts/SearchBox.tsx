import { Kbd, TextInput } from "@mantine/core";
import { useRef } from "react";

import { useKeys } from "../keys/keys";

interface Search {
  label: string; // for those who do not see the field's place: "Search your desktops"
  value: string;
  onChange: (value: string) => void;
  w?: number | string;
}

/** SearchBox is the field that "/" leads to and Escape empties and leaves. */
export function SearchBox({ label, value, onChange, w = 220 }: Search) {
  const field = useRef<HTMLInputElement>(null);
  const enter = () => {
    field.current?.focus();
    field.current?.select();
  };
  useKeys([{ keys: "/", does: label, run: enter }]);
  return (
    <TextInput
      ref={field}
      type="search"
      size="xs"
      w={w}
      aria-label={label}
      placeholder="search"
      value={value}
      rightSection={<Kbd size="xs">/</Kbd>}
      rightSectionPointerEvents="none"
      autoComplete="off"
      spellCheck={false}
      onChange={(event) => {
        onChange(event.currentTarget.value);
      }}
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        onChange("");
        event.currentTarget.blur();
      }}
    />
  );
}
