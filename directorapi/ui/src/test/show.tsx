import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { render } from "@testing-library/react";
import userEvent, { type UserEvent } from "@testing-library/user-event";
import type { ReactNode } from "react";

import { newQueryClient } from "../app/queryClient";
import { ReachBanner } from "../app/ReachBanner";

/** show puts a page on the screen as the entry documents do, and returns the hands of a user. */
export function show(page: ReactNode): UserEvent {
  render(
    <MantineProvider env="test">
      <QueryClientProvider client={newQueryClient()}>
        <ReachBanner />
        {page}
      </QueryClientProvider>
    </MantineProvider>,
  );
  return userEvent.setup();
}
