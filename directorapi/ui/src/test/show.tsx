import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { render } from "@testing-library/react";
import userEvent, { type UserEvent } from "@testing-library/user-event";
import type { ReactNode } from "react";
import { MemoryRouter } from "react-router";

import { newQueryClient } from "../app/queryClient";
import { ReachBanner } from "../app/ReachBanner";
import { KeyLayer } from "../keys/KeyLayer";

/** show puts a page on the screen as the entry documents do, and returns the hands of a user. */
export function show(page: ReactNode, at = "/"): UserEvent {
  render(
    <MantineProvider env="test">
      <QueryClientProvider client={newQueryClient()}>
        <ReachBanner />
        <KeyLayer>
          <MemoryRouter initialEntries={[at]}>{page}</MemoryRouter>
        </KeyLayer>
      </QueryClientProvider>
    </MantineProvider>,
  );
  return userEvent.setup();
}
