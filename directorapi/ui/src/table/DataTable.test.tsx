import { act, screen } from "@testing-library/react";
import { useEffect, useState } from "react";
import { expect, test } from "vitest";

import { show } from "../test/show";
import { type Column, DataTable } from "./DataTable";
import type { Sort } from "./sort";

interface Thing {
  name: string;
  size: number;
}

const columns: Column<Thing>[] = [
  { id: "name", label: "Name", main: true, by: ({ name }) => name, cell: ({ name }) => name },
  { id: "size", label: "Size", number: true, by: ({ size }) => size, cell: ({ size }) => size },
  { id: "act", label: "", cell: ({ name }, tab) => <button tabIndex={tab}>Act on {name}</button> },
];

const bench: { change?: (things: Thing[]) => void } = {};

function change(things: Thing[]) {
  act(() => bench.change?.(things));
}

function List({ first, ticks = false }: { first: Thing[]; ticks?: boolean }) {
  const [things, setThings] = useState(first);
  const [sort, setSort] = useState<Sort>({ column: "name", down: false });
  const [keys, setKeys] = useState<ReadonlySet<string>>(new Set());
  useEffect(() => {
    bench.change = setThings;
  }, []);
  return (
    <>
      <DataTable
        label="Things"
        noun="thing"
        rows={things}
        columns={columns}
        keyOf={({ name }) => name}
        nameOf={({ name }) => name}
        href={({ name }) => `?open=${name}`}
        sort={sort}
        onSort={setSort}
        {...(ticks ? { selection: { keys, onChange: setKeys } } : {})}
        empty="There is nothing."
      />
      <output>{[...keys].join(" ")}</output>
    </>
  );
}

const names = () => screen.getAllByRole("rowheader").map(({ textContent }) => textContent);
const things = (...sizes: number[]) => sizes.map((size, i) => ({ name: `t${String(i + 1)}`, size }));
const many = () => things(...Array.from({ length: 10_000 }, (_, i) => i));

test("says to those who hear the page how many rows there are and which one this is", () => {
  show(<List first={many()} />);
  expect(screen.getByRole("table", { name: "Things" })).toHaveAttribute("aria-rowcount", "10001");
  const [head, first] = screen.getAllByRole("row");
  expect(head).toHaveAttribute("aria-rowindex", "1");
  expect(first).toHaveAttribute("aria-rowindex", "2");
  expect(screen.getByRole("columnheader", { name: /Name/ })).toHaveAttribute("aria-sort", "ascending");
  expect(screen.getByText("10,000 things")).toBeVisible();
});

test("sorts numbers in names as numbers, and figures with the largest first", async () => {
  const hands = show(<List first={[...things(5, 9, 7), { name: "t10", size: 1 }]} />);
  expect(names()).toEqual(["t1", "t2", "t3", "t10"]);
  await hands.click(screen.getByRole("button", { name: "Size" }));
  expect(names()).toEqual(["t2", "t3", "t1", "t10"]);
  await hands.click(screen.getByRole("button", { name: /Size/ }));
  expect(names()).toEqual(["t10", "t1", "t3", "t2"]);
});

test("rows keep their places while figures move, until somebody sorts again", async () => {
  const hands = show(<List first={things(5, 9, 7)} />);
  await hands.click(screen.getByRole("button", { name: "Size" }));
  change([...things(8, 1, 7), { name: "new", size: 7.5 }]);
  expect(names()).toEqual(["new", "t2", "t3", "t1"]);
  await hands.click(screen.getByRole("button", { name: /sort again/ }));
  expect(names()).toEqual(["t1", "new", "t3", "t2"]);
  expect(screen.queryByRole("button", { name: /sort again/ })).toBeNull();
});

test("a row that went is gone, and one that comes takes the place of its name", () => {
  show(<List first={things(1, 2, 3)} />);
  change([
    { name: "t3", size: 3 },
    { name: "t2b", size: 0 },
    { name: "t1", size: 1 },
  ]);
  expect(names()).toEqual(["t1", "t2b", "t3"]);
});

test("arrows, Page, Home and End go through all rows, also those that were not drawn", async () => {
  const hands = show(<List first={many()} />);
  screen.getByRole("link", { name: "t1" }).focus();
  await hands.keyboard("{ArrowDown}{ArrowDown}");
  expect(screen.getByRole("link", { name: "t3" })).toHaveFocus();
  await hands.keyboard("{ArrowUp}");
  expect(screen.getByRole("link", { name: "t2" })).toHaveFocus();
  await hands.keyboard("{PageDown}");
  expect(screen.getByRole("link", { name: "t20" })).toHaveFocus();
  await hands.keyboard("{End}");
  expect(screen.getByRole("link", { name: "t10000" })).toHaveFocus();
  await hands.keyboard("{Home}");
  expect(screen.getByRole("link", { name: "t1" })).toHaveFocus();
});

test("Tab goes into the row that has the focus and then out of the list", async () => {
  const hands = show(<List first={things(1, 2, 3)} />);
  screen.getByRole("link", { name: "t1" }).focus();
  await hands.keyboard("{ArrowDown}{Tab}");
  expect(screen.getByRole("button", { name: "Act on t2" })).toHaveFocus();
  await hands.keyboard("{Tab}");
  expect(document.body).toHaveFocus();
});

test("the row that has the focus keeps it when others come before it", async () => {
  const hands = show(<List first={things(1, 2, 3)} />);
  screen.getByRole("link", { name: "t1" }).focus();
  await hands.keyboard("{ArrowDown}");
  change([{ name: "t0", size: 0 }, ...things(1, 2, 3)]);
  expect(screen.getByRole("link", { name: "t2" })).toHaveFocus();
  await hands.keyboard("{ArrowDown}");
  expect(screen.getByRole("link", { name: "t3" })).toHaveFocus();
});

test("rows are ticked one by one and all together", async () => {
  const hands = show(<List first={things(1, 2, 3)} ticks />);
  await hands.click(screen.getByLabelText("Select t2"));
  expect(document.querySelector("output")).toHaveTextContent("t2");
  const all = screen.getByLabelText("Select all things of the list");
  expect(all).toBePartiallyChecked();
  await hands.click(all);
  expect(all).toBeChecked();
  await hands.click(all);
  expect(screen.getByLabelText("Select t2")).not.toBeChecked();
});

test("a list without rows says why", () => {
  show(<List first={[]} />);
  expect(screen.getByText("There is nothing.")).toBeVisible();
  expect(screen.getByText("no things")).toBeVisible();
});
