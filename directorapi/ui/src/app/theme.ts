import { createTheme, type CSSVariablesResolver } from "@mantine/core";

/** theme is one accent on the system's own type; its contrasts are 4.5 : 1 and more. */
export const theme = createTheme({
  fontFamily: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif",
  fontFamilyMonospace: "ui-monospace, 'SF Mono', 'Cascadia Mono', 'DejaVu Sans Mono', monospace",
  primaryColor: "blue",
  primaryShade: { light: 8, dark: 8 },
  defaultRadius: 6,
  respectReducedMotion: true,
  cursorType: "pointer",
});

/** cssVariables makes quiet text readable: the library's own greys are paler than 4.5 : 1. */
export const cssVariables: CSSVariablesResolver = ({ colors }) => ({
  variables: {},
  light: {
    "--mantine-color-dimmed": colors.gray[7],
    "--mantine-color-placeholder": colors.gray[6],
    "--mantine-color-anchor": colors.blue[8],
    "--mantine-color-red-light-color": colors.red[9],
    "--mantine-color-error": colors.red[9],
  },
  dark: {
    "--mantine-color-dimmed": colors.dark[1],
    "--mantine-color-placeholder": colors.dark[2],
    "--mantine-color-anchor": colors.blue[3],
    "--mantine-color-red-light": "rgba(255, 107, 107, 0.12)",
    "--mantine-color-red-light-color": colors.red[2],
    "--mantine-color-error": colors.red[4],
  },
});
