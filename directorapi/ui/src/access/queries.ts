import { queryOptions, useMutation } from "@tanstack/react-query";

import { answer, api } from "../api/client";
import { poll } from "../api/poll";
import type { components } from "../api/schema.gen";

export type Explanation = components["schemas"]["Explanation"];
export type PolicyAccess = components["schemas"]["PolicyAccess"];
export type PolicyReach = components["schemas"]["PolicyReach"];
export type Policy = components["schemas"]["PolicyResponse"];

/** useExplain asks which host somebody would get, and why not the others. It changes nothing. */
export function useExplain() {
  return useMutation({
    mutationFn: (body: components["schemas"]["ExplainRequest"]) =>
      answer(api.POST("/v1/admin/explain", { body })),
  });
}

/** policyQuery asks what the policy is, and what is wrong with its files. */
export const policyQuery = queryOptions({
  queryKey: ["admin", "policy"],
  queryFn: ({ signal }) => answer(api.GET("/v1/admin/policy", { signal })),
  structuralSharing: false, // as for hosts
  refetchInterval: poll(30_000),
});

/** accessQuery asks what the policy gives a user whose login brings certain groups. */
export function accessQuery(user: string, group: string[]) {
  return queryOptions({
    queryKey: ["admin", "policy", "user", user, ...group],
    queryFn: ({ signal }) =>
      answer(api.GET("/v1/admin/policy/access", { signal, params: { query: { user, group } } })),
  });
}

/** reachQuery asks whom the policy gives a host or a pool. */
export function reachQuery(what: { server: string } | { pool: string }) {
  return queryOptions({
    queryKey: ["admin", "policy", "reach", what],
    queryFn: ({ signal }) => answer(api.GET("/v1/admin/policy/reach", { signal, params: { query: what } })),
  });
}

/** groupsOf reads groups as somebody types them, with commas between. */
export function groupsOf(text: string): string[] {
  return text
    .split(",")
    .map((group) => group.trim())
    .filter(Boolean);
}
