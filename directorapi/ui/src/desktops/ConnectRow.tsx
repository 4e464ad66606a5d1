import { Button, Group, Stack, Text } from "@mantine/core";
import { useState } from "react";

import { ErrorNote } from "../parts/ErrorNote";
import { browserURL, type Connection, connectionFile, viewerURL } from "./connection";
import { preferredWay, take, type Way, wayNames } from "./ways";

const starting = {
  viewer: "Starting the DCV viewer. If it does not:",
  browser: "Opening in a new tab. If it does not:",
  file: "Saved; open it with the DCV viewer. Or:",
} satisfies Record<Way, string>;

/** ConnectRow offers the three ways to a desktop that is ready. */
export function ConnectRow({ connection }: { connection: Connection }) {
  const [taken, setTaken] = useState(preferredWay);
  const links = addresses(connection);
  if (links instanceof Error) return <ErrorNote error={links} />;

  const go = (way: Way) => {
    setTaken(way);
    take(way, connection);
  };
  const button = (way: Way) => ({
    size: "compact-sm",
    px: 6,
    variant: way === (taken ?? "viewer") ? "filled" : "default",
    ref: way === (taken ?? "viewer") ? takeFocus : undefined,
    children: wayNames[way],
  });
  return (
    <Stack gap={6}>
      <Text size="sm" role="status">
        {taken ? starting[taken] : "Ready. Connect with:"}
      </Text>
      <Group gap={4} className="ways" wrap="nowrap">
        <Button
          {...button("viewer")}
          component="a"
          href={links.viewer}
          onClick={(event) => {
            event.preventDefault();
            go("viewer");
          }}
        />
        <Button
          {...button("browser")}
          component="a"
          href={links.browser}
          target="_blank"
          rel="noopener noreferrer"
          onClick={(event) => {
            event.preventDefault();
            go("browser");
          }}
        />
        <Button
          {...button("file")}
          onClick={() => {
            go("file");
          }}
        />
      </Group>
    </Stack>
  );
}

function addresses(connection: Connection): { viewer: string; browser: string } | Error {
  try {
    connectionFile(connection); // so that a value that no file can hold is said here, not on a click
    return { viewer: viewerURL(connection), browser: browserURL(connection) };
  } catch (error) {
    return error instanceof Error ? error : new Error("This desktop has no usable address.");
  }
}

// The act that was pressed gives way to these, and the focus would be nowhere.
// Somebody who has gone on to something else is left there.
function takeFocus(element: HTMLElement | null): void {
  if (document.activeElement === document.body) element?.focus();
}
