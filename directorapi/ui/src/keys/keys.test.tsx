import { screen, within } from "@testing-library/react";
import { expect, test, vi } from "vitest";

import { show } from "../test/show";
import { arrows } from "./arrows";
import { type Key, Sequence, useKeys } from "./keys";

function Page({ keys }: { keys: Key[] }) {
  useKeys(keys);
  return <input aria-label="field" />;
}

test.each([
  { typed: "/", keys: ["/"], hits: ["/"] },
  { typed: "gh", keys: ["g h", "g s"], hits: ["g h"] },
  { typed: "gxh", keys: ["g h"], hits: [] },
  { typed: "ggh", keys: ["g h"], hits: ["g h"] },
  { typed: "g/", keys: ["g h", "/"], hits: ["/"] },
  { typed: "ghgs", keys: ["g h", "g s"], hits: ["g h", "g s"] },
])("$typed is $hits", ({ typed, keys, hits }) => {
  const all = keys.map((one) => ({ keys: one, does: "", run: () => undefined }));
  const sequence = new Sequence();
  expect(Array.from(typed).flatMap((key, i) => sequence.press(key, i, all)?.keys ?? [])).toEqual(hits);
});

test("keys that come too late do not belong together", () => {
  const all = [{ keys: "g h", does: "", run: () => undefined }];
  const sequence = new Sequence();
  sequence.press("g", 0, all);
  expect(sequence.press("h", 2_000, all)).toBeUndefined();
});

test("keys run what they are for, but not for who types", async () => {
  const run = vi.fn();
  const hands = show(<Page keys={[{ keys: "g h", does: "Go to hosts", run }]} />);
  await hands.type(screen.getByLabelText("field"), "gh");
  expect(run).not.toHaveBeenCalled();
  screen.getByLabelText("field").blur();
  await hands.keyboard("gh");
  expect(run).toHaveBeenCalledOnce();
});

test("a question mark lists the keys, which rest meanwhile", async () => {
  const run = vi.fn();
  const hands = show(<Page keys={[{ keys: "x", does: "Do it", run }]} />);
  await hands.keyboard("?");
  const list = within(await screen.findByRole("dialog", { name: "Keys" }));
  expect(list.getByRole("row", { name: "x Do it" })).toBeVisible();
  expect(list.getByRole("row", { name: "? Show this list" })).toBeVisible();
  await hands.keyboard("x");
  expect(run).not.toHaveBeenCalled();
});

test("arrows move among rows and leave other fields alone", async () => {
  const hands = show(
    <div onKeyDown={arrows("button")} role="presentation">
      <button>a</button>
      <input aria-label="field" />
      <button>b</button>
      <button>c</button>
    </div>,
  );
  const button = (name: string) => screen.getByRole("button", { name });
  button("a").focus();
  await hands.keyboard("{ArrowDown}");
  expect(button("b")).toHaveFocus();
  await hands.keyboard("{ArrowUp}{ArrowUp}");
  expect(button("a")).toHaveFocus();
  await hands.keyboard("{End}");
  expect(button("c")).toHaveFocus();
  screen.getByLabelText("field").focus();
  await hands.keyboard("{ArrowDown}");
  expect(screen.getByLabelText("field")).toHaveFocus();
});

test("up and down go to the closest in the next row on the screen", async () => {
  const places: Record<string, [number, number]> = {
    a: [0, 0],
    b: [100, 0],
    c: [0, 50],
    d: [100, 50],
    e: [0, 100],
  };
  const hands = show(
    <div onKeyDown={arrows("button")} role="presentation">
      {Object.keys(places).map((name) => (
        <button key={name}>{name}</button>
      ))}
    </div>,
  );
  vi.spyOn(HTMLElement.prototype, "getBoundingClientRect").mockImplementation(function (this: HTMLElement) {
    const [x, y] = places[this.textContent] ?? [0, 0];
    return new DOMRect(x, y, 80, 30);
  });
  const walk = async (from: string, keys: string) => {
    screen.getByRole("button", { name: from }).focus();
    await hands.keyboard(keys);
    return document.activeElement?.textContent;
  };
  expect(await walk("b", "{ArrowDown}")).toBe("d");
  expect(await walk("d", "{ArrowDown}")).toBe("e");
  expect(await walk("e", "{ArrowDown}")).toBe("e");
  expect(await walk("d", "{ArrowUp}")).toBe("b");
  expect(await walk("a", "{ArrowUp}")).toBe("a");
});
