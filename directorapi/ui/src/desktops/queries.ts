import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { answer, api } from "../api/client";
import { poll } from "../api/poll";
import type { Connection } from "./connection";
import type { Wanted } from "./desktops";
import { preferredWay, take, type Way } from "./ways";

/** myDesktopsKey is where the caller's desktops are kept. */
export const myDesktopsKey = ["my", "desktops"] as const;

/** myDesktopsQuery asks for what the caller may open, with what it is just now. */
export const myDesktopsQuery = queryOptions({
  queryKey: myDesktopsKey,
  queryFn: ({ signal }) => answer(api.GET("/v1/user/desktops", { signal })),
  refetchInterval: poll(5_000),
});

/** Opened is a session that can be entered. */
export interface Opened {
  session: string; // its id as the lists have it; what a viewer says may differ
  server: string; // the host that it is on
  at: number; // milliseconds since the epoch
  connection: Connection;
}

/** A Step is what an opening waits for. */
export type Step = "asking" | "fetching";

interface Opening extends Wanted {
  way?: Way; // how to go there; absent: the way that was taken last
}

/**
 * useOpenDesktop starts a desktop, or finds the one that runs, fetches what a
 * viewer needs and goes there.
 */
export function useOpenDesktop() {
  const client = useQueryClient();
  const [step, setStep] = useState<Step>("asking");
  const open = useMutation({
    mutationFn: async (wanted: Opening): Promise<Opened> => {
      setStep("asking");
      const session = await answer(api.POST("/v1/user/sessions", { body: requestOf(wanted) }));
      setStep("fetching");
      const server = session.serverId ?? wanted.desktop.name;
      const connection = await fetchConnection(session.sessionID, server);
      await client.invalidateQueries({ queryKey: myDesktopsKey });
      return { session: session.sessionID, server, at: Date.now(), connection };
    },
    onSuccess: ({ connection }, { way = preferredWay() }) => {
      if (way) take(way, connection);
    },
  });
  return { ...open, step };
}

function requestOf({ desktop, type }: Wanted) {
  const where = desktop.kind === "pool" ? { poolId: desktop.name } : { serverId: desktop.name };
  return { ...where, sessionType: type };
}

async function fetchConnection(sessionId: string, serverId: string): Promise<Connection> {
  const query = { sessionId, serverId };
  const token = await answer(api.GET("/v1/user/connectiontoken", { params: { query } }));
  return {
    host: token.host ?? serverId,
    port: token.port ?? 8443,
    path: token.webUrlPath ?? "/",
    sessionId: token.sessionId ?? sessionId,
    token: token.token,
    expiresAt: token.expiresAt ? Date.parse(token.expiresAt) : Infinity,
  };
}
