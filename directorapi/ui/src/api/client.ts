import createClient from "openapi-fetch";

import { ApiError, refusal, UnreachableError } from "./errors";
import type { components, paths } from "./schema.gen";

export type Agent = components["schemas"]["Agent"];
export type Server = components["schemas"]["Server"];
export type Session = components["schemas"]["Session"];
export type SessionType = components["schemas"]["SessionType"];
export type Changes = components["schemas"]["Changes"];
export type DesktopsResponse = components["schemas"]["DesktopsResponse"];

// Relative to the page, so that the pages work under any prefix. The entry
// document says where the director's root is, seen from itself.
const home = new URL(document.documentElement.dataset["home"] ?? ".", document.baseURI);

/** addressOf says where a path of the director is, as seen from this page. */
export function addressOf(path: string): string {
  return new URL(path.replace(/^\//, ""), home).href;
}

const asked = {
  baseUrl: home.href,
  headers: { Accept: "application/problem+json, application/json" },
  cache: "no-store",
} as const;

/**
 * api calls the director. Give what it returns to {@link answer}. A call that
 * comes after the login has run out waits for the next login and is made again.
 */
export const api = createClient<paths>({
  ...asked,
  fetch: async (request) => {
    const again = request.clone();
    const loginBefore = login.number();
    const response = await reach(request);
    if (response.status !== 401) return response;
    return (await login.next(loginBefore, request.signal)) ? reach(again) : response;
  },
});

/** loginApi calls the director for the login itself: a refusal is an answer here. */
export const loginApi = createClient<paths>({ ...asked, fetch: reach });

async function reach(request: Request): Promise<Response> {
  try {
    return await fetch(request); // looked up per call, so that tests can put a director behind it
  } catch (cause) {
    throw request.signal.aborted ? cause : new UnreachableError();
  }
}

/** A LoginWatch knows when somebody logs in again. */
export interface LoginWatch {
  number(): number; // grows with every login
  next(after: number, signal: AbortSignal): Promise<boolean>; // whether a login with a greater number came
}

let login: LoginWatch = { number: () => 0, next: () => Promise.resolve(false) };

/** watchLogin lets calls wait for the next login. */
export function watchLogin(watch: LoginWatch): void {
  login = watch;
}

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/**
 * answer waits for a call and returns its data. It throws {@link ApiError} when
 * the director refused and {@link UnreachableError} when no answer came.
 */
export async function answer<T>(call: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await readable(call);
  if (!response.ok) throw refusal(error, response);
  return data as T; // the schema says so, and the director's own tests hold it to the schema
}

async function readable<T>(call: Promise<Answer<T>>): Promise<Answer<T>> {
  try {
    return await call;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new ApiError("The answer did not come from a director. Check the address of this page.", 200);
  }
}
