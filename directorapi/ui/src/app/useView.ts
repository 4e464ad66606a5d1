import { useCallback, useMemo } from "react";
import { useSearchParams } from "react-router";

/** A View is what the address bar says of a page: its filter, its order, what is open. */
export interface View {
  get: (name: string) => string; // "" when the address does not say it
  set: (change: Record<string, string>) => void; // "" takes a name out; the page before stays one step back
  href: (change: Record<string, string>) => string; // where a link with the change leads
}

/** useView reads and writes the part of the address behind the question mark. */
export function useView(): View {
  const [params, setParams] = useSearchParams();
  const set = useCallback(
    (change: Record<string, string>) => {
      setParams((old) => changed(old, change), { replace: true });
    },
    [setParams],
  );
  return useMemo(
    () => ({
      get: (name) => params.get(name) ?? "",
      set,
      href: (change) => `?${changed(params, change).toString()}`,
    }),
    [params, set],
  );
}

function changed(params: URLSearchParams, change: Record<string, string>): URLSearchParams {
  const next = new URLSearchParams(params);
  for (const [name, value] of Object.entries(change)) {
    if (value === "") next.delete(name);
    else next.set(name, value);
  }
  return next;
}
