import { queryOptions } from "@tanstack/react-query";

import { answer, api } from "../api/client";
import { poll } from "../api/poll";
import type { components } from "../api/schema.gen";

export type Overview = components["schemas"]["Overview"];
export type Attention = components["schemas"]["Attention"];

/** overviewQuery asks how things are, and what needs a person. */
export const overviewQuery = queryOptions({
  queryKey: ["admin", "overview"],
  queryFn: ({ signal }) => answer(api.GET("/v1/admin/overview", { signal })),
  refetchInterval: poll(5_000),
});
