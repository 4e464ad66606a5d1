import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { answer, api, type Session } from "../api/client";
import { everyPage } from "../api/pages";
import { poll } from "../api/poll";
import type { components } from "../api/schema.gen";

/** sessionsQuery asks for the sessions of all hosts. The first pages show before the last is there. */
export const sessionsQuery = queryOptions({
  queryKey: ["admin", "sessions"],
  queryFn: ({ client, signal, queryKey }) =>
    everyPage<Session>(
      (query) => api.GET("/v1/sessions", { signal, params: { query } }),
      (soFar) => {
        client.setQueryData<Session[]>(queryKey, (old) => old ?? soFar);
      },
    ),
  structuralSharing: false, // as for hosts
  refetchInterval: poll(5_000),
});

/** keyOfSession tells sessions apart: an id such as "console" repeats across hosts. */
export function keyOfSession({ id, server_id }: Pick<Session, "id" | "server_id">): string {
  return `${server_id ?? ""}/${id}`;
}

type Which = Pick<Session, "id" | "server_id">;

/** useCloseSession closes one session and lists all anew. */
export function useCloseSession(session: Which) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => close(session),
    onSettled: () => settle(client),
  });
}

/** useCloseSessions closes many, a few at a time, and returns what could not be closed and why. */
export function useCloseSessions() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (sessions: readonly Session[]) => {
      const left = [...sessions];
      const failed: { session: Session; error: Error }[] = [];
      const work = async () => {
        for (let session = left.shift(); session; session = left.shift()) {
          try {
            await close(session);
          } catch (error) {
            failed.push({ session, error: error instanceof Error ? error : new Error(String(error)) });
          }
        }
      };
      await Promise.all(Array.from({ length: 6 }, work)); // as many as browsers ask of one place at once
      return failed;
    },
    onSettled: () => settle(client),
  });
}

/** useCreateSession starts a desktop for somebody. */
export function useCreateSession() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: components["schemas"]["CreateSessionRequest"]) =>
      answer(api.POST("/v1/sessions", { body })),
    onSettled: () => settle(client),
  });
}

function close({ id, server_id }: Which) {
  return answer(
    api.DELETE("/v1/sessions/{id}", {
      params: { path: { id }, query: server_id === undefined ? {} : { serverId: server_id } },
    }),
  );
}

function settle(client: ReturnType<typeof useQueryClient>) {
  return Promise.all([
    client.invalidateQueries({ queryKey: ["my"] }),
    client.invalidateQueries({ queryKey: ["admin"] }),
  ]);
}
