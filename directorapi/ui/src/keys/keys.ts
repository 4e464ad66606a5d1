import { createContext, useContext, useEffect, useRef } from "react";

/** A Key is something that the keyboard does on a page. */
export interface Key {
  keys: string; // as `KeyboardEvent.key` names them; one after the other, with a space between: "g h"
  does: string; // what the list of keys says: "Go to hosts"
  run?: () => void; // absent: the key is listed only, and somebody else listens to it
}

/** A Layer is the keys of a page, by who brought them. */
export interface Layer {
  add: (owner: symbol, keys: readonly Key[]) => void;
  remove: (owner: symbol) => void;
}

export const LayerContext = createContext<Layer | undefined>(undefined);

/**
 * useKeys adds keys to the page while the caller is mounted. They rest while
 * somebody types or a dialog is open. Give the same keys in every drawing: what
 * they run may differ.
 */
export function useKeys(keys: readonly Key[]): void {
  const layer = useContext(LayerContext);
  const owner = useRef(Symbol("keys"));
  useEffect(() => {
    layer?.add(owner.current, keys);
  });
  useEffect(() => {
    const own = owner.current;
    return () => layer?.remove(own);
  }, [layer]);
}

const patience = 1_500; // milliseconds between two keys that belong together

/** A Sequence puts keys together that are pressed one after the other. */
export class Sequence {
  private pressed: string[] = [];
  private last = 0;

  /** press returns the key that is complete with this one. */
  press(key: string, at: number, all: readonly Key[]): Key | undefined {
    if (at - this.last > patience) this.pressed = [];
    this.last = at;
    this.pressed.push(key);
    for (let from = 0; from < this.pressed.length; from++) {
      const typed = this.pressed.slice(from).join(" ");
      const hit = all.find((one) => one.run && one.keys === typed);
      if (hit) {
        this.pressed = [];
        return hit;
      }
      if (all.some((one) => one.keys.startsWith(`${typed} `))) {
        this.pressed = this.pressed.slice(from);
        return undefined;
      }
    }
    this.pressed = [];
    return undefined;
  }
}

/** isBusy says that keys belong to what has the focus, or to a dialog. */
export function isBusy(event: KeyboardEvent): boolean {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return true;
  if (document.querySelector('[role="dialog"], [role="menu"]')) return true;
  const target = event.target;
  return target instanceof HTMLElement && target.matches("input, textarea, select, [contenteditable]");
}
