import { Kbd, Table } from "@mantine/core";
import { type ReactNode, useEffect, useMemo, useRef, useState } from "react";

import { Dialog } from "../parts/Dialog";
import { isBusy, type Key, type Layer, LayerContext, Sequence } from "./keys";

/** KeyLayer lets the parts of a page listen to keys, and lists them all under "?". */
export function KeyLayer({ children }: { children: ReactNode }) {
  const owners = useRef(new Map<symbol, readonly Key[]>());
  const [listed, setListed] = useState<Key[]>();
  const layer = useMemo<Layer>(
    () => ({
      add: (owner, keys) => owners.current.set(owner, keys),
      remove: (owner) => owners.current.delete(owner),
    }),
    [],
  );

  useEffect(() => {
    const sequence = new Sequence();
    const listen = (event: KeyboardEvent) => {
      if (isBusy(event)) return;
      const all = [...owners.current.values()].flat();
      if (event.key === "?") {
        event.preventDefault();
        setListed(all);
        return;
      }
      const hit = sequence.press(event.key, event.timeStamp, all);
      if (!hit) return;
      event.preventDefault();
      hit.run?.();
    };
    document.addEventListener("keydown", listen);
    return () => {
      document.removeEventListener("keydown", listen);
    };
  }, []);

  return (
    <LayerContext value={layer}>
      {children}
      <Dialog
        opened={listed !== undefined}
        onClose={() => {
          setListed(undefined);
        }}
        title="Keys"
      >
        <KeyList keys={[...(listed ?? []), { keys: "?", does: "Show this list" }]} />
      </Dialog>
    </LayerContext>
  );
}

function KeyList({ keys }: { keys: readonly Key[] }) {
  return (
    <Table>
      <Table.Tbody>
        {keys.map(({ keys, does }) => (
          <Table.Tr key={keys}>
            <Table.Td w={120}>
              {keys.split(" ").map((key, i) => (
                <Kbd key={i} mr={4}>
                  {names[key] ?? key}
                </Kbd>
              ))}
            </Table.Td>
            <Table.Td>{does}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

const names: Partial<Record<string, string>> = {
  ArrowUp: "↑",
  ArrowDown: "↓",
  ArrowLeft: "←",
  ArrowRight: "→",
  Escape: "Esc",
};
