import { answer } from "./client";

/** pageSize is how many hosts one request asks for: a page is read in a few milliseconds. */
export const pageSize = 1_000;

export interface PageQuery {
  limit: number;
  after?: string;
}

type Call<T> = Promise<{ data?: T[]; error?: unknown; response: Response }>;

/**
 * everyPage asks for a list page by page, so that no answer is so long that
 * reading it makes the page stutter. `soFar` hears of every page but the last.
 */
export async function everyPage<T>(
  ask: (query: PageQuery) => Call<T>,
  soFar: (rows: T[]) => void = () => undefined,
): Promise<T[]> {
  let rows: T[] = [];
  let after: string | undefined;
  for (;;) {
    const call = ask({ limit: pageSize, ...(after === undefined ? {} : { after }) });
    rows = rows.concat(await answer(call));
    after = next((await call).response);
    if (after === undefined) return rows;
    soFar(rows);
  }
}

// The header Link says where the next page is: <?after=NAME&limit=N>; rel="next"
// (RFC 8288).
function next(response: Response): string | undefined {
  const link = /<[^>]*\?([^>]*)>\s*;\s*rel="?next"?/.exec(response.headers.get("Link") ?? "");
  return (link && new URLSearchParams(link[1]).get("after")) ?? undefined;
}
