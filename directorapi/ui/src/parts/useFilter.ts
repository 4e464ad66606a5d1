import { useSearchParams } from "react-router";

/**
 * useFilter keeps one filter of a list in the address bar, where it can be
 * bookmarked and sent to others. "" is no filter and leaves no trace.
 */
export function useFilter(name: string): [value: string, set: (value: string) => void] {
  const [params, setParams] = useSearchParams();
  const set = (value: string) => {
    setParams(
      (old) => {
        const next = new URLSearchParams(old);
        if (value === "") next.delete(name);
        else next.set(name, value);
        return next;
      },
      { replace: true }, // the way back leads to another page, not through every letter
    );
  };
  return [params.get(name) ?? "", set];
}
