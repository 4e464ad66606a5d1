import { Skeleton, Stack } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { ErrorNote } from "../parts/ErrorNote";

interface State<T> {
  of: string; // "hosts"
  query: UseQueryResult<T[]>;
  empty: ReactNode; // the next step when there is none
  children: (rows: T[]) => ReactNode;
}

/** ListState shows that a list is asked for, could not be had, is empty, or what is in it. */
export function ListState<T>({ of, query, empty, children }: State<T>) {
  return (
    <>
      <ErrorNote title={`Cannot list the ${of}`} error={query.error} />
      {query.isPending && <Loading of={of} />}
      {query.data?.length === 0 && empty}
      {query.data && query.data.length > 0 && children(query.data)}
    </>
  );
}

/** Loading has the shape of the list that comes. */
export function Loading({ of }: { of: string }) {
  return (
    <div className="list" role="status" aria-label={`Loading the ${of}`}>
      <Stack gap={0} aria-hidden="true">
        {Array.from({ length: 12 }, (_, i) => (
          <div key={i} className="list-bone">
            <Skeleton height={10} width={`${String(12 + ((i * 7) % 9))}%`} />
            <Skeleton height={10} width={`${String(18 + ((i * 5) % 14))}%`} />
            <Skeleton height={10} width={`${String(8 + ((i * 3) % 8))}%`} />
          </div>
        ))}
      </Stack>
    </div>
  );
}
