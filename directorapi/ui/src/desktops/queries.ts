import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { answer, api, type SessionType } from "../api/client";
import { poll } from "../api/poll";
import type { Connection } from "./connection";
import { preferredWay, take } from "./ways";

/** myServersQuery asks for the names that the caller may ask a desktop on. */
export const myServersQuery = queryOptions({
  queryKey: ["my", "servers"],
  queryFn: async ({ signal }) => (await answer(api.GET("/v1/user/servers", { signal }))).servers,
  refetchInterval: poll(30_000),
});

/** mySessionsQuery asks for the caller's sessions. */
export const mySessionsQuery = queryOptions({
  queryKey: ["my", "sessions"],
  queryFn: ({ signal }) => answer(api.GET("/v1/user/sessions", { signal })),
  refetchInterval: poll(5_000),
});

interface Wish {
  server: string;
  type: SessionType;
}

/**
 * useOpenDesktop starts a desktop, or finds the one that runs, fetches what a
 * viewer needs and goes there the way that was taken last. `step` says in words
 * what is being waited for.
 */
export function useOpenDesktop() {
  const client = useQueryClient();
  const [step, setStep] = useState("");
  const open = useMutation({
    mutationFn: async ({ server, type }: Wish): Promise<Connection> => {
      setStep(`Asking ${server} to start a desktop …`);
      const session = await answer(
        api.POST("/v1/user/sessions", { body: { serverId: server, sessionType: type } }),
      );
      const host = session.serverId ?? server;
      setStep(`${session.reused ? "Found your desktop" : "The desktop runs"}; fetching its key …`);
      const query = { sessionId: session.sessionID, serverId: host };
      const token = await answer(api.GET("/v1/user/connectiontoken", { params: { query } }));
      await client.invalidateQueries(mySessionsQuery);
      return {
        host: token.host ?? host,
        port: token.port ?? 8443,
        path: token.webUrlPath ?? "/",
        sessionId: token.sessionId ?? session.sessionID,
        token: token.token,
        readyAt: Date.now(),
        expiresAt: token.expiresAt ? Date.parse(token.expiresAt) : Infinity,
      };
    },
    onSuccess: (connection) => {
      const way = preferredWay();
      if (way) take(way, connection);
    },
  });
  return { ...open, step };
}
