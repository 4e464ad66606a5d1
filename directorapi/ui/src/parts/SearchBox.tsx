import { Kbd, TextInput } from "@mantine/core";
import { useRef, useState } from "react";

import { useKeys } from "../keys/keys";

interface Search {
  label: string; // for those who do not see the field's place: "Search your desktops"
  value: string;
  onChange: (value: string) => void;
}

/** SearchBox is the field that "/" leads to and Escape empties and leaves. */
export function SearchBox({ label, value, onChange }: Search) {
  const field = useRef<HTMLInputElement>(null);
  // The letters are kept here while somebody types: those in the address bar come
  // a moment later.
  const [focused, setFocused] = useState(false);
  const [typed, setTyped] = useState(value);
  if (!focused && typed !== value) setTyped(value);
  const change = (value: string) => {
    setTyped(value);
    onChange(value);
  };
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
      className="search"
      aria-label={label}
      placeholder="search"
      value={typed}
      rightSection={<Kbd size="xs">/</Kbd>}
      rightSectionPointerEvents="none"
      autoComplete="off"
      spellCheck={false}
      onChange={(event) => {
        change(event.currentTarget.value);
      }}
      onFocus={() => {
        setFocused(true);
      }}
      onBlur={() => {
        setFocused(false);
      }}
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        change("");
        event.currentTarget.blur();
      }}
    />
  );
}
