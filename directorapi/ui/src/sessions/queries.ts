import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { answer, api, type Session } from "../api/client";
import { poll } from "../api/poll";

/** sessionsQuery asks for the sessions of all hosts. */
export const sessionsQuery = queryOptions({
  queryKey: ["admin", "sessions"],
  queryFn: ({ signal }) => answer(api.GET("/v1/sessions", { signal })),
  refetchInterval: poll(5_000),
});

/** useCloseSession closes one session and lists all anew. */
export function useCloseSession({ id, server_id }: Pick<Session, "id" | "server_id">) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () =>
      answer(
        api.DELETE("/v1/sessions/{id}", {
          params: { path: { id }, query: server_id === undefined ? {} : { serverId: server_id } },
        }),
      ),
    onSettled: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: ["my"] }),
        client.invalidateQueries({ queryKey: ["admin"] }),
      ]),
  });
}
