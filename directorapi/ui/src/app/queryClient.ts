import { QueryClient } from "@tanstack/react-query";

import { watchLogin } from "../api/client";
import { UnreachableError } from "../api/errors";
import { loginWatch } from "../login/state";

/**
 * newQueryClient returns the keeper of all that comes from the director. It
 * tries again for ever while the director cannot be reached, and turns the first
 * 401 in the middle of work into a request to log in again.
 */
export function newQueryClient(): QueryClient {
  const client = new QueryClient({
    defaultOptions: {
      queries: {
        networkMode: "always", // the browser's idea of being online says nothing about the director
        retry: (_failures, error) => error instanceof UnreachableError,
        retryDelay: (failures) => Math.min(500 * 2 ** failures, 5_000),
        refetchOnWindowFocus: false, // the stream of events says what is old
        refetchOnReconnect: false,
      },
      mutations: { networkMode: "always" },
    },
  });
  watchLogin(loginWatch(client));
  return client;
}
