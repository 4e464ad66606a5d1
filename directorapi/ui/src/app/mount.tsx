import "@mantine/core/styles/baseline.layer.css";
import "@mantine/core/styles/default-css-variables.layer.css";
import "@mantine/core/styles/global.layer.css";
import "./app.css";

import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { type ReactNode, StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { KeyLayer } from "../keys/KeyLayer";
import { Mishap } from "./Mishap";
import { newQueryClient } from "./queryClient";
import { ReachBanner } from "./ReachBanner";
import { cssVariables, theme } from "./theme";

/** mount puts a page into its document. */
export function mount(page: ReactNode): void {
  const root = document.getElementById("root");
  if (!root) throw new Error("the document has no element with the id root");
  createRoot(root).render(
    <StrictMode>
      <MantineProvider theme={theme} cssVariablesResolver={cssVariables} defaultColorScheme="auto">
        <QueryClientProvider client={newQueryClient()}>
          <Mishap>
            <ReachBanner />
            <KeyLayer>{page}</KeyLayer>
          </Mishap>
        </QueryClientProvider>
      </MantineProvider>
    </StrictMode>,
  );
}
