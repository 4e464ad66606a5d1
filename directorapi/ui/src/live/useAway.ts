import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useSyncExternalStore } from "react";

import { UnreachableError } from "../api/errors";

/** useAway says whether the director does not answer just now. */
export function useAway(): boolean {
  const cache = useQueryClient().getQueryCache();
  return useSyncExternalStore(
    useCallback((changed) => cache.subscribe(changed), [cache]),
    () => cache.getAll().some((query) => query.state.fetchFailureReason instanceof UnreachableError),
  );
}
