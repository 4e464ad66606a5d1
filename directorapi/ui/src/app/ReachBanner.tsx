import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useSyncExternalStore } from "react";

import { UnreachableError } from "../api/errors";

/** ReachBanner says so while the director cannot be reached. What was shown stays. */
export function ReachBanner() {
  const cache = useQueryClient().getQueryCache();
  const away = useSyncExternalStore(
    useCallback((changed) => cache.subscribe(changed), [cache]),
    () => cache.getAll().some((query) => query.state.fetchFailureReason instanceof UnreachableError),
  );
  return (
    <div role="status" className="reach">
      {away && <p>The director cannot be reached. What you see may be old; trying again …</p>}
    </div>
  );
}
