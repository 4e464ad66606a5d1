import type { Query } from "@tanstack/react-query";

import { isLoggedOut } from "./errors";

/** poll asks again every so many milliseconds, but not on behalf of nobody. */
export function poll(every: number): (query: Pick<Query, "state">) => number | false {
  return (query) => (isLoggedOut(query.state.error) ? false : every);
}
