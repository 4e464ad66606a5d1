import { infiniteQueryOptions } from "@tanstack/react-query";

import { addressOf, answer, api } from "../api/client";
import type { components } from "../api/schema.gen";

export type AuditRecord = components["schemas"]["AuditRecord"];

/** An AuditFilter says which records to show, in the words of the API; "" is any. */
export interface AuditFilter {
  text: string;
  actor: string;
  action: string;
  outcome: string;
  target: string;
  since: string; // a time
  before: string; // a time
}

/** auditQuery asks for the records page by page, the newest first. */
export function auditQuery(filter: AuditFilter) {
  return infiniteQueryOptions({
    queryKey: ["admin", "audit", filter],
    queryFn: ({ pageParam, signal }) =>
      answer(
        api.GET("/v1/admin/audit", {
          signal,
          params: { query: { ...queryOf(filter), limit: 200, ...(pageParam ? { before: pageParam } : {}) } },
        }),
      ),
    initialPageParam: "",
    getNextPageParam: ({ next }) => next,
  });
}

/** exportAddress is where the records are to be had as a file. */
export function exportAddress(filter: AuditFilter, format: "csv" | "jsonl"): string {
  return addressOf(
    `/v1/admin/audit/export?${new URLSearchParams({ format, ...queryOf(filter) }).toString()}`,
  );
}

function queryOf(filter: AuditFilter): Record<string, string> {
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== ""));
}
