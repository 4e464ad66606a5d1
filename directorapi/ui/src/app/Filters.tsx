import { NativeSelect, TextInput } from "@mantine/core";
import { type ReactNode, useState } from "react";

import type { View } from "./useView";

/** Filters is the row above a list; what it says is in the address bar. */
export function Filters({ children }: { children: ReactNode }) {
  return (
    <div className="filters" role="search">
      {children}
    </div>
  );
}

/** FilterText takes a part of a name, or a day. */
export function FilterText({
  view,
  label,
  name = "filter",
  type = "search",
}: {
  view: View;
  label: string;
  name?: string; // in the address
  type?: "search" | "date";
}) {
  const said = view.get(name);
  // The address follows what is typed, and may lag behind fast fingers.
  const [typed, setTyped] = useState<string>();
  return (
    <TextInput
      className={type === "search" ? "filter-text" : ""}
      type={type}
      size="sm"
      aria-label={label}
      title={label}
      placeholder={label}
      {...(type === "date" && {
        leftSection: <span className="filter-day">{label}</span>,
        leftSectionWidth: 52,
      })}
      value={typed ?? said}
      onChange={(event) => {
        setTyped(event.currentTarget.value);
        view.set({ [name]: event.currentTarget.value });
      }}
      onBlur={() => {
        setTyped(undefined);
      }}
    />
  );
}

/** FilterChoice lets one of a few values through; "" is any. */
export function FilterChoice({
  view,
  name,
  label,
  choices,
}: {
  view: View;
  name: string; // in the address
  label: string; // "Any state"
  choices: Readonly<Record<string, string>>;
}) {
  const chosen = view.get(name);
  return (
    <NativeSelect
      className={chosen === "" ? "filter-choice" : "filter-choice filter-on"}
      size="sm"
      aria-label={label}
      value={chosen}
      onChange={(event) => {
        view.set({ [name]: event.currentTarget.value });
      }}
      data={[
        { value: "", label },
        ...Object.entries(choices).map(([value, words]) => ({ value, label: words })),
      ]}
    />
  );
}

/** matches says whether one of the texts has the part in it. */
export function matches(part: string, ...texts: string[]): boolean {
  const wanted = part.trim().toLowerCase();
  return wanted === "" || texts.some((text) => text.toLowerCase().includes(wanted));
}
