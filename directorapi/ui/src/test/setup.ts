import "@testing-library/jest-dom/vitest";

import { cleanup, configure } from "@testing-library/react";
import { afterEach, vi } from "vitest";

configure({ asyncUtilTimeout: 30_000 }); // what is awaited comes later on a machine with other work

// What a browser has and jsdom lacks.
vi.stubGlobal("matchMedia", (media: string) => ({
  media,
  matches: false,
  addEventListener: () => undefined,
  removeEventListener: () => undefined,
}));
vi.stubGlobal(
  "ResizeObserver",
  class {
    observe() {
      // nothing has a size here
    }
    unobserve() {
      // nothing has a size here
    }
    disconnect() {
      // nothing has a size here
    }
  },
);

// A list draws the rows that have room: give it some.
Object.defineProperties(Element.prototype, {
  clientHeight: { configurable: true, get: () => 720 },
  clientWidth: { configurable: true, get: () => 1_200 },
});
Element.prototype.scrollTo = () => undefined;

afterEach(() => {
  cleanup();
  Reflect.deleteProperty(globalThis, "EventSource"); // what one test puts there is not for the next
  localStorage.clear();
});
