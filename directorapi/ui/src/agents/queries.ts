import { queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { type Agent, answer, api } from "../api/client";
import { poll } from "../api/poll";

/** agentsQuery asks for the register of agents. */
export const agentsQuery = queryOptions({
  queryKey: ["admin", "agents"],
  queryFn: ({ signal }) => answer(api.GET("/v1/admin/agents", { signal })),
  structuralSharing: false, // as for hosts
  refetchInterval: poll(5_000),
});

/** useAgent is one agent of the register, undefined while there is none such. */
export function useAgent(guid: string): Agent | undefined {
  return useQuery({ ...agentsQuery, select: (all) => all.find((agent) => agent.guid === guid) }).data;
}

/** denialsQuery asks for the agents that were denied within a day. */
export const denialsQuery = queryOptions({
  queryKey: ["admin", "agents", "denials"],
  queryFn: ({ signal }) => answer(api.GET("/v1/admin/denials", { signal })),
  refetchInterval: poll(30_000),
});

/** useApprove lets a pending agent join, or accepts the new name of a registered one. */
export function useApprove({ guid }: Pick<Agent, "guid">, replace = false) {
  return useDecision(() =>
    answer(
      api.POST("/v1/admin/agents/{guid}/approve", {
        params: { path: { guid } },
        body: replace ? { replace } : {},
        parseAs: "text",
      }),
    ),
  );
}

/** useApproveMany lets pending agents join and returns what became of each. */
export function useApproveMany() {
  return useDecision((guids: string[]) => answer(api.POST("/v1/admin/agents/approve", { body: { guids } })));
}

/** useDecide denies, revokes or reactivates an agent. */
export function useDecide({ guid }: Pick<Agent, "guid">, act: "deny" | "revoke" | "reactivate") {
  return useDecision(() =>
    answer(api.POST(`/v1/admin/agents/{guid}/${act}`, { params: { path: { guid } }, parseAs: "text" })),
  );
}

/** useForgetDenial lets a denied agent ask again. */
export function useForgetDenial(guid: string) {
  return useDecision(() =>
    answer(api.DELETE("/v1/admin/denials/{guid}", { params: { path: { guid } }, parseAs: "text" })),
  );
}

function useDecision<T, V = void>(decide: (variables: V) => Promise<T>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: decide,
    onSettled: () => client.invalidateQueries({ queryKey: ["admin"] }),
  });
}
