import type { AuditFilter } from "./queries";

export function Export({ filter }: { filter: AuditFilter }) {
  return <span hidden>{filter.text}</span>;
}
