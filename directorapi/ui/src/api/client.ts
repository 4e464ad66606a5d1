import createClient from "openapi-fetch";

import { ApiError, refusal, UnreachableError } from "./errors";
import type { components, paths } from "./schema.gen";

export type Agent = components["schemas"]["Agent"];
export type Server = components["schemas"]["Server"];
export type Session = components["schemas"]["Session"];
export type SessionType = components["schemas"]["SessionType"];

// Relative to the page, so that the pages work under any prefix. The entry
// document says where the director's root is, seen from itself.
const home = new URL(document.documentElement.dataset["home"] ?? ".", document.baseURI);

/** api calls the director. Give what it returns to {@link answer}. */
export const api = createClient<paths>({
  baseUrl: home.href,
  headers: { Accept: "application/problem+json, application/json" },
  cache: "no-store",
  fetch: async (request) => {
    try {
      return await fetch(request); // looked up per call, so that tests can put a director behind it
    } catch (cause) {
      throw request.signal.aborted ? cause : new UnreachableError();
    }
  },
});

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
