import { useQueryClient, type QueryKey } from "@tanstack/react-query";
import { useEffect } from "react";

import type { Changes } from "../api/client";
import { myDesktopsKey } from "../desktops/queries";
import { Pace } from "./pace";
import { openStream } from "./stream";

/**
 * Live keeps what a page shows true while it is mounted: what the director's
 * stream of events brings is shown, what it names as changed is asked for again.
 */
export function Live() {
  const client = useQueryClient();
  useEffect(() => {
    if (!("EventSource" in window)) return; // then every list is asked for again and again
    const pace = new Pace(client);
    const everything = () => {
      pace.rush(["my"], ["admin"]);
    };
    const close = openStream({
      resync: everything,
      lost: everything,
      changes: (changes) => {
        pace.add(...keysOf(changes));
      },
      desktops: (desktops) => {
        // An answer that is under way is older than this.
        void client.cancelQueries({ queryKey: myDesktopsKey }).then(() => {
          client.setQueryData(myDesktopsKey, desktops);
        });
      },
    });
    return () => {
      close();
      pace.stop();
    };
  }, [client]);
  return null;
}

/** keysOf says which queries changes make old. What is in no list of the page is not asked for. */
export function keysOf({ servers, sessions, agents, policy }: Changes): QueryKey[] {
  const keys: QueryKey[] = [["admin", "overview"], ["my"]];
  if (servers.length > 0 || sessions.length > 0) keys.push(["admin", "hosts"]);
  if (sessions.length > 0) keys.push(["admin", "sessions"]);
  if (agents.length > 0) keys.push(["admin", "agents"]);
  if (policy) keys.push(["admin", "policy"]);
  return keys;
}
