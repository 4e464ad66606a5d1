import { act } from "@testing-library/react";
import { vi } from "vitest";

/** A TestStream is the browser's end of a stream of events, with the director's end in the hands of a test. */
export class TestStream extends EventTarget {
  /** all are the streams that were opened, in order. */
  static all: TestStream[] = [];
  closed = false;

  constructor(readonly url: string) {
    super();
    TestStream.all.push(this);
  }

  /** install puts streams into the browser. */
  static install(): void {
    TestStream.all = [];
    vi.stubGlobal("EventSource", TestStream);
  }

  /** open returns the stream that is open now. */
  static open(): TestStream {
    const stream = TestStream.all.findLast(({ closed }) => !closed);
    if (!stream) throw new Error("no stream of events is open");
    return stream;
  }

  close(): void {
    this.closed = true;
  }

  /** say sends an event. */
  say(kind: string, data: unknown = {}): void {
    act(() => {
      this.dispatchEvent(new MessageEvent(kind, { data: JSON.stringify(data) }));
    });
  }

  /** fail breaks the stream off. */
  fail(): void {
    act(() => {
      this.dispatchEvent(new Event("error"));
    });
  }
}
