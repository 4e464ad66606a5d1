import { useStreamState } from "../live/state";
import { useAway } from "../live/useAway";

/**
 * ReachBanner says so while the director does not answer, or while changes are
 * only asked for instead of told. What was shown stays.
 */
export function ReachBanner() {
  const away = useAway();
  const lost = useStreamState() === "lost";
  return (
    <div role="status" className="reach">
      {away && <p>The director does not answer; trying again … What you see may be old.</p>}
      {!away && lost && <p className="quiet">Live updates cannot be had: changes show a few seconds late.</p>}
    </div>
  );
}
