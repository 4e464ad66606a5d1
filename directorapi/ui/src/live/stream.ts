import { addressOf, type Changes, type DesktopsResponse } from "../api/client";
import { setStreamState } from "./state";

/** Listeners hear what the director's stream of events says. */
export interface Listeners {
  resync: () => void; // look at everything again
  changes: (changes: Changes) => void; // an admin's
  desktops: (desktops: DesktopsResponse) => void; // a user's
  lost: () => void; // the stream broke off, or could not be had at first
}

const firstWait = 500; // milliseconds
const longestWait = 10_000;

/**
 * openStream follows the events of the director until the function that it
 * returns is called. A stream that breaks off is opened anew, after waits that
 * grow and differ from page to page, so that a director that comes up is not met
 * by all of them at once. A page that nobody sees has no stream: a browser lends
 * a site only a few connections over HTTP/1.1, and the director eight to a user.
 */
export function openStream(listeners: Listeners): () => void {
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;

  const close = () => {
    clearTimeout(timer);
    source?.close();
    source = undefined;
  };
  const open = () => {
    close();
    source = new EventSource(addressOf("/v1/events"));
    source.addEventListener("resync", () => {
      failures = 0;
      setStreamState("live");
      listeners.resync();
    });
    source.addEventListener("changes", ({ data }) => {
      listeners.changes(JSON.parse(data as string) as Changes);
    });
    source.addEventListener("desktops", ({ data }) => {
      listeners.desktops(JSON.parse(data as string) as DesktopsResponse);
    });
    source.addEventListener("error", fail);
  };
  const fail = () => {
    close();
    const wait = Math.min(firstWait * 2 ** failures, longestWait);
    timer = setTimeout(look, wait * (0.5 + Math.random() / 2));
    failures++;
    setStreamState(failures > 1 ? "lost" : "opening"); // a proxy may end a stream now and then
    if (failures === 1) listeners.lost();
  };
  const look = () => {
    if (document.hidden) close();
    else if (!source) open();
  };

  setStreamState("opening");
  document.addEventListener("visibilitychange", look);
  look();
  return () => {
    document.removeEventListener("visibilitychange", look);
    close();
    setStreamState("off");
  };
}
