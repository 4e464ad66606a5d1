import { screen } from "@testing-library/react";
import { expect, test, vi } from "vitest";

import { show } from "../test/show";
import { Mishap } from "./Mishap";

test("a page that cannot be drawn says so and how to go on", () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined); // React writes what it caught
  const Broken = (): never => {
    throw new TypeError("no list");
  };
  show(
    <Mishap>
      <Broken />
    </Mishap>,
  );
  expect(screen.getByRole("alert")).toHaveTextContent("This page cannot be shown");
  expect(screen.getByRole("button", { name: "Reload the page" })).toBeVisible();
  expect(screen.getByText("TypeError: no list")).toBeInTheDocument();
});
