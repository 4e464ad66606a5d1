import { queryOptions } from "@tanstack/react-query";

import { answer, api } from "../api/client";
import { poll } from "../api/poll";

/** hostsQuery asks for the hosts that report. */
export const hostsQuery = queryOptions({
  queryKey: ["admin", "hosts"],
  queryFn: ({ signal }) => answer(api.GET("/v1/servers", { signal })),
  refetchInterval: poll(5_000),
});
