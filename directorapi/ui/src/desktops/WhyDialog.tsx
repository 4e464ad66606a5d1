import { Stack, Text } from "@mantine/core";

import { Dialog } from "../parts/Dialog";
import { StateWord } from "../parts/StateWord";
import { count } from "../parts/words";
import { type Desktop, stateOf } from "./desktops";

interface Why {
  desktop: Desktop;
  opened: boolean;
  onClose: () => void;
}

/** WhyDialog says why a desktop is as it is, and what to do next. */
export function WhyDialog({ desktop, opened, onClose }: Why) {
  const { tone, words, next } = stateOf(desktop);
  return (
    <Dialog opened={opened} onClose={onClose} title={`Why is ${desktop.name} like this?`}>
      <Stack gap="xs">
        <StateWord tone={tone}>{words}</StateWord>
        <Text>{desktop.detail}</Text>
        {desktop.kind === "pool" && (
          <Text>
            It is a pool of {count(desktop.hosts, "host")}; {freeOnes(desktop.free)} can take a new desktop of
            yours.
          </Text>
        )}
        <Text>{canBeHad(desktop)}</Text>
        <Text fw={500}>{next}</Text>
      </Stack>
    </Dialog>
  );
}

function freeOnes(free: number): string {
  return free === 0 ? "none of them" : String(free);
}

function canBeHad({ types }: Desktop): string {
  if (types.length === 0) return "Nothing can be opened there just now.";
  return `What can be opened: ${types.join(" or ")}.`;
}
