import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { answer, api, type Server } from "../api/client";
import { everyPage } from "../api/pages";
import { poll } from "../api/poll";

/** hostsQuery asks for the hosts that report. The first pages show before the last is there. */
export const hostsQuery = queryOptions({
  queryKey: ["admin", "hosts"],
  queryFn: ({ client, signal, queryKey }) =>
    everyPage<Server>(
      (query) => api.GET("/v1/servers", { signal, params: { query } }),
      (soFar) => {
        client.setQueryData<Server[]>(queryKey, (old) => old ?? soFar);
      },
    ),
  structuralSharing: false, // comparing ten thousand hosts with their like costs more than drawing a screenful
  refetchInterval: poll(5_000),
});

/** hostQuery asks for all that is known of one host. */
export function hostQuery(server: string) {
  return queryOptions({
    queryKey: ["admin", "hosts", server],
    queryFn: ({ signal }) =>
      answer(api.GET("/v1/servers/{server}", { signal, params: { path: { server } } })),
    refetchInterval: poll(5_000),
  });
}

/** useDrain keeps new sessions from a host, with a message for people. */
export function useDrain(server: string) {
  return useHostAct((message: string) =>
    answer(
      api.POST("/v1/admin/servers/{server}/drain", {
        params: { path: { server } },
        body: { message },
        parseAs: "text",
      }),
    ),
  );
}

/** useUndrain lets a host have new sessions again. */
export function useUndrain(server: string) {
  return useHostAct(() =>
    answer(api.POST("/v1/admin/servers/{server}/undrain", { params: { path: { server } }, parseAs: "text" })),
  );
}

function useHostAct<T>(act: (variables: T) => Promise<unknown>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: act,
    onSettled: () => client.invalidateQueries({ queryKey: ["admin"] }),
  });
}

/** historyQuery asks for the last hour of a host, one sample a minute. */
export function historyQuery(server: string) {
  return queryOptions({
    queryKey: ["admin", "hosts", server, "history"],
    queryFn: ({ signal }) =>
      answer(api.GET("/v1/admin/servers/{server}/history", { signal, params: { path: { server } } })),
    refetchInterval: poll(30_000),
  });
}
