export function History({ server }: { server: string }) {
  return <span hidden>{server}</span>;
}
