import { queryOptions, type QueryClient } from "@tanstack/react-query";

import { answer, api } from "../api/client";
import { ApiError } from "../api/errors";
import { forget, recall, remember } from "../parts/storage";

/** A Realm says which login a page needs. */
export type Realm = "user" | "admin";

/** A Login is who works here; "ended" is a login that ran out in the middle of work. */
export interface Login {
  state: "in" | "ended" | "out";
  user: string; // as typed at the last login; "" when this browser does not remember
}

const root = "login";
const stateKey = [root, "state"];

/** loginOptionsQuery asks what a login form should ask for. */
export const loginOptionsQuery = queryOptions({
  queryKey: [root, "options"],
  queryFn: ({ signal }) => answer(api.GET("/v1/user/login", { signal })),
  staleTime: Infinity,
});

/** loginQuery asks whether this browser is logged in. */
export function loginQuery(realm: Realm) {
  return queryOptions({
    queryKey: [...stateKey, realm],
    queryFn: async ({ client, signal }): Promise<Login> => {
      const state = (await isAccepted(realm, signal)) ? "in" : "out";
      // So that the form does not grow a field while somebody types.
      if (state === "out") await client.query({ ...loginOptionsQuery, retry: false }).catch(() => undefined);
      return { state, user: recall("user") };
    },
    staleTime: Infinity,
    gcTime: Infinity,
  });
}

async function isAccepted(realm: Realm, signal: AbortSignal): Promise<boolean> {
  try {
    await answer(api.GET("/v1/auth-health", { signal }));
    if (realm === "admin") {
      await answer(api.GET("/v1/admin/agents", { signal, params: { query: { state: "pending" } } }));
    }
    return true;
  } catch (error) {
    if (error instanceof ApiError && (error.status === 401 || error.status === 403)) return false;
    throw error;
  }
}

/** beginLogin notes who has logged in and asks again for what was refused before. */
export async function beginLogin(client: QueryClient, user: string): Promise<void> {
  remember("user", user);
  client.setQueriesData<Login>({ queryKey: stateKey }, { state: "in", user });
  await client.invalidateQueries({ predicate: (query) => query.queryKey[0] !== root });
}

/** endLogin notes that the login ran out. The page stays as it is. */
export function endLogin(client: QueryClient): void {
  client.setQueriesData<Login>({ queryKey: stateKey }, (login) =>
    login?.state === "in" ? { ...login, state: "ended" } : login,
  );
}

/** leave forgets who has worked here and everything that was shown. */
export async function leave(client: QueryClient): Promise<void> {
  forget("user");
  await client.query({ ...loginOptionsQuery, retry: false }).catch(() => undefined);
  client.setQueriesData<Login>({ queryKey: stateKey }, { state: "out", user: "" });
  client.removeQueries({ predicate: (query) => query.queryKey[0] !== root });
}
