import type { ReactNode } from "react";
import { createMemoryRouter, RouterProvider } from "react-router";

/** page puts a page of the console at an address, as its router does. */
export function page(at: string, element: ReactNode) {
  return <RouterProvider router={createMemoryRouter([{ path: "*", element }], { initialEntries: [at] })} />;
}
