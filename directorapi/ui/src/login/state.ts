import { queryOptions, type QueryClient } from "@tanstack/react-query";

import { answer, loginApi, type LoginWatch } from "../api/client";
import { ApiError } from "../api/errors";
import { forget, recall, remember } from "../parts/storage";

/** A Realm says which login a page needs. */
export type Realm = "user" | "admin";

/** A Login is who works here; "ended" is a login that ran out in the middle of work. */
export interface Login {
  state: "in" | "ended" | "out";
  user: string; // as typed at the last login; "" when this browser does not remember
  number: number; // of the login on this page, growing; 0 for one that was there before the page
}

const root = "login";
const stateKey = [root, "state"];

/** loginOptionsQuery asks what a login form should ask for. */
export const loginOptionsQuery = queryOptions({
  queryKey: [root, "options"],
  queryFn: ({ signal }) => answer(loginApi.GET("/v1/user/login", { signal })),
  staleTime: Infinity,
});

/** loginQuery asks whether this browser is logged in. */
export function loginQuery(realm: Realm) {
  return queryOptions({
    queryKey: [...stateKey, realm],
    queryFn: async ({ client, signal }): Promise<Login> => {
      // Asked at the same time, so that the form is there at once if it is needed,
      // and does not grow a field while somebody types.
      const options = client.query({ ...loginOptionsQuery, retry: false }).catch(() => undefined);
      const state = (await isAccepted(realm, signal)) ? "in" : "out";
      if (state === "out") await options;
      return { state, user: recall("user"), number: 0 };
    },
    staleTime: Infinity,
    gcTime: Infinity,
  });
}

async function isAccepted(realm: Realm, signal: AbortSignal): Promise<boolean> {
  try {
    await answer(loginApi.GET("/v1/auth-health", { signal }));
    if (realm === "admin") {
      await answer(loginApi.GET("/v1/admin/agents", { signal, params: { query: { state: "pending" } } }));
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
  change(client, ({ number }) => ({ state: "in", user, number: number + 1 }));
  await client.invalidateQueries({ predicate: (query) => query.queryKey[0] !== root });
}

/** leave forgets who has worked here and everything that was shown. */
export async function leave(client: QueryClient): Promise<void> {
  forget("user");
  await client.query({ ...loginOptionsQuery, retry: false }).catch(() => undefined);
  change(client, ({ number }) => ({ state: "out", user: "", number }));
  client.removeQueries({ predicate: (query) => query.queryKey[0] !== root });
}

/**
 * loginWatch turns the first refusal in the middle of work into the question for
 * the password, and lets the refused calls wait for its answer. The page stays
 * as it is meanwhile.
 */
export function loginWatch(client: QueryClient): LoginWatch {
  return {
    number: () => current(client)?.number ?? 0,
    next: (after, signal) => {
      change(client, (login) =>
        login.state === "in" && login.number === after ? { ...login, state: "ended" } : login,
      );
      return loginAfter(client, after, signal);
    },
  };
}

function loginAfter(client: QueryClient, after: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const look = () => {
      const login = current(client);
      if (signal.aborted || login?.state !== "ended") done(login !== undefined && login.number > after);
    };
    const stop = client.getQueryCache().subscribe(look);
    const done = (again: boolean) => {
      stop();
      signal.removeEventListener("abort", look);
      resolve(again && !signal.aborted);
    };
    signal.addEventListener("abort", look);
    look();
  });
}

function current(client: QueryClient): Login | undefined {
  return client.getQueriesData<Login>({ queryKey: stateKey }).find(([, login]) => login)?.[1];
}

function change(client: QueryClient, to: (login: Login) => Login): void {
  client.setQueriesData<Login>({ queryKey: stateKey }, (login) => login && to(login));
}
