import { act, cleanup, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { show } from "../test/show";
import { Ago } from "./Ago";

beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse("2026-11-22T12:00:00Z") });
});
afterEach(() => {
  vi.useRealTimers();
});

test("a moment grows old by itself, and says exactly when it was", () => {
  show(<Ago at="2026-11-22T11:59:58Z" />);
  expect(screen.getByText("just now")).toHaveAttribute("title", expect.stringContaining("2026"));
  act(() => {
    vi.advanceTimersByTime(60_000);
  });
  expect(screen.getByText("1 minute ago")).toHaveAttribute("datetime", "2026-11-22T11:59:58Z");
});

test("many moments share one timer, which ends with the last", () => {
  const starts = vi.spyOn(globalThis, "setInterval");
  const ends = vi.spyOn(globalThis, "clearInterval");
  show(
    <>
      <Ago at="2026-11-22T11:00:00Z" />
      <Ago at="2026-11-22T10:00:00Z" />
      <Ago at={null} />
    </>,
  );
  expect(screen.getByText("never")).toBeVisible();
  expect(starts).toHaveBeenCalledOnce();
  cleanup();
  expect(ends).toHaveBeenCalledWith(starts.mock.results[0]?.value);
});
