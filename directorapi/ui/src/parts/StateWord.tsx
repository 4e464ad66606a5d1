import { Group, Text } from "@mantine/core";
import type { ReactNode } from "react";

/** A Tone is a state's colour, the same everywhere; a word always goes with it. */
export type Tone = "ready" | "inUse" | "working" | "attention" | "broken" | "off";

/** StateWord is a state: a dot in its colour and the words that say it. */
export function StateWord({
  tone,
  children,
  title,
}: {
  tone: Tone;
  children: ReactNode;
  title?: string | undefined;
}) {
  return (
    <Group gap={8} wrap="nowrap" align="baseline">
      <span className={`dot dot-${tone}`} aria-hidden="true" />
      <Text component="span" size="sm" title={title}>
        {children}
      </Text>
    </Group>
  );
}
