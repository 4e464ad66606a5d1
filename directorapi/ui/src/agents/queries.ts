import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { type Agent, answer, api } from "../api/client";
import { poll } from "../api/poll";

/** agentsQuery asks for the register of agents. */
export const agentsQuery = queryOptions({
  queryKey: ["admin", "agents"],
  queryFn: ({ signal }) => answer(api.GET("/v1/admin/agents", { signal })),
  refetchInterval: poll(5_000),
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

/** useDecide denies, revokes or reactivates an agent. */
export function useDecide({ guid }: Pick<Agent, "guid">, act: "deny" | "revoke" | "reactivate") {
  return useDecision(() =>
    answer(api.POST(`/v1/admin/agents/{guid}/${act}`, { params: { path: { guid } }, parseAs: "text" })),
  );
}

function useDecision(decide: () => Promise<unknown>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: decide,
    onSettled: () => client.invalidateQueries({ queryKey: ["admin"] }),
  });
}
