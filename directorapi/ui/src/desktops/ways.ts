import { recall, remember } from "../parts/storage";
import { browserURL, type Connection, connectionFile, fileName, viewerURL } from "./connection";

/** A Way is how a person gets from the page to the desktop. */
export type Way = "viewer" | "browser" | "file";

/** wayNames are the words on the buttons. */
export const wayNames = {
  viewer: "DCV viewer",
  browser: "Browser",
  file: ".dcv file",
} satisfies Record<Way, string>;

/** preferredWay is the way that was taken last, undefined before the first time. */
export function preferredWay(): Way | undefined {
  const way = recall("way");
  return way in wayNames ? (way as Way) : undefined;
}

/** take goes to the desktop and remembers the way. */
export function take(way: Way, connection: Connection): void {
  remember("way", way);
  switch (way) {
    case "viewer":
      follow({ href: viewerURL(connection) });
      return;
    case "browser":
      follow({ href: browserURL(connection), target: "_blank", rel: "noopener noreferrer" });
      return;
    case "file":
      save(fileName(connection), connectionFile(connection));
  }
}

function save(name: string, content: string): void {
  const href = URL.createObjectURL(new Blob([content], { type: "application/x-dcv" }));
  follow({ href, download: name });
  setTimeout(() => {
    URL.revokeObjectURL(href); // the browser has the file by then, and the token leaves the memory
  }, 10_000);
}

function follow(attributes: Partial<HTMLAnchorElement>): void {
  Object.assign(document.createElement("a"), attributes).click();
}
