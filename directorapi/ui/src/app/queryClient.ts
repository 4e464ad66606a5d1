import { MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";

import { isLoggedOut, UnreachableError } from "../api/errors";
import { endLogin } from "../login/state";

/**
 * newQueryClient returns the keeper of all that comes from the director. It
 * tries again for ever while the director cannot be reached, and turns the first
 * 401 in the middle of work into a request to log in again.
 */
export function newQueryClient(): QueryClient {
  const noteEnd = (error: Error) => {
    if (isLoggedOut(error)) endLogin(client);
  };
  const client: QueryClient = new QueryClient({
    queryCache: new QueryCache({ onError: noteEnd }),
    mutationCache: new MutationCache({ onError: noteEnd }),
    defaultOptions: {
      queries: {
        networkMode: "always", // the browser's idea of being online says nothing about the director
        retry: (_failures, error) => error instanceof UnreachableError,
        retryDelay: (failures) => Math.min(500 * 2 ** failures, 5_000),
      },
      mutations: { networkMode: "always" },
    },
  });
  return client;
}
