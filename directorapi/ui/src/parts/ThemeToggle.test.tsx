import { screen } from "@testing-library/react";
import { expect, test } from "vitest";

import { show } from "../test/show";
import { ThemeToggle } from "./ThemeToggle";

test("changes to the other theme and says which that is", async () => {
  const hands = show(<ThemeToggle />);
  await hands.click(screen.getByRole("button", { name: "Use the dark theme" }));
  expect(document.documentElement).toHaveAttribute("data-mantine-color-scheme", "dark");
  await hands.click(screen.getByRole("button", { name: "Use the light theme" }));
  expect(document.documentElement).toHaveAttribute("data-mantine-color-scheme", "light");
});
