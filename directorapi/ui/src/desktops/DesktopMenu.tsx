import { ActionIcon, Menu } from "@mantine/core";
import { useState } from "react";

import type { Session, SessionType } from "../api/client";
import { ConfirmDialog } from "../parts/ConfirmDialog";
import { connected } from "../parts/words";
import { useCloseSession } from "../sessions/queries";
import { type Desktop, isOffered, types } from "./desktops";
import type { Way } from "./ways";
import { WhyDialog } from "./WhyDialog";

interface MenuProps {
  desktop: Desktop;
  type: SessionType;
  session: Session | undefined; // of that type
  busy: boolean; // an opening goes on
  onType: (type: SessionType) => void;
  onGo: (way: Way) => void;
}

const ways = {
  viewer: "Open in the DCV viewer",
  browser: "Open in the browser",
  file: "Save a .dcv file",
} satisfies Record<Way, string>;

/** DesktopMenu has what is needed less often: another way, another type, the end, and why. */
export function DesktopMenu({ desktop, type, session, busy, onType, onGo }: MenuProps) {
  const [dialog, setDialog] = useState<"why" | "close">();
  const rests = busy || !isOffered(desktop, type);
  const hide = () => {
    setDialog(undefined);
  };
  return (
    <>
      <Menu position="bottom-end" width={210} withinPortal={false} withInitialFocusPlaceholder={false}>
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" size={36} aria-label={`More about ${desktop.name}`}>
            <span aria-hidden="true">⋯</span>
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          {(Object.keys(ways) as Way[]).map((way) => (
            <Menu.Item
              key={way}
              disabled={rests}
              onClick={() => {
                onGo(way);
              }}
            >
              {ways[way]}
            </Menu.Item>
          ))}
          <Menu.Divider />
          <Menu.RadioGroup
            value={type}
            onChange={(value) => {
              onType(value === "virtual" ? "virtual" : "console");
            }}
          >
            {types.map((one) => (
              <Menu.RadioItem
                key={one}
                value={one}
                disabled={busy || (one !== type && !isOffered(desktop, one))}
              >
                {one} session
              </Menu.RadioItem>
            ))}
          </Menu.RadioGroup>
          <Menu.Divider />
          <Menu.Item
            onClick={() => {
              setDialog("why");
            }}
          >
            Why?
          </Menu.Item>
          {session && (
            <Menu.Item
              className="ends"
              onClick={() => {
                setDialog("close");
              }}
            >
              Close the session …
            </Menu.Item>
          )}
        </Menu.Dropdown>
      </Menu>
      <WhyDialog desktop={desktop} opened={dialog === "why"} onClose={hide} />
      {session && (
        <CloseDialog desktop={desktop} session={session} opened={dialog === "close"} onClose={hide} />
      )}
    </>
  );
}

interface CloseProps {
  desktop: Desktop;
  session: Session;
  opened: boolean;
  onClose: () => void;
}

function CloseDialog({ desktop, session, opened, onClose }: CloseProps) {
  const action = useCloseSession(session);
  const where = session.server_id ?? desktop.name;
  return (
    <ConfirmDialog
      opened={opened}
      onClose={() => {
        onClose();
        action.reset();
      }}
      question={`Close your ${session.type} session on ${where}? ${connected(session["num-of-connections"])} Programs that run in it end.`}
      confirm="Close the session"
      action={action}
    />
  );
}
