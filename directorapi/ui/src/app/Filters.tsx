import { NativeSelect, TextInput } from "@mantine/core";
import type { ReactNode } from "react";

import type { View } from "./useView";

/** Filters is the row above a list; what it says is in the address bar. */
export function Filters({ children }: { children: ReactNode }) {
  return (
    <div className="filters" role="search">
      {children}
    </div>
  );
}

/** FilterText takes a part of a name. */
export function FilterText({ view, label, name = "filter" }: { view: View; label: string; name?: string }) {
  return (
    <TextInput
      className="filter-text"
      type="search"
      size="sm"
      aria-label={label}
      placeholder={label}
      value={view.get(name)}
      onChange={(event) => {
        view.set({ [name]: event.currentTarget.value });
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
