import { createHashRouter, Navigate, RouterProvider } from "react-router";

import { AgentsPage } from "./agents/AgentsPage";
import { Console } from "./app/Console";
import { mount } from "./app/mount";
import { HostsPage } from "./hosts/HostsPage";
import { LoginGate } from "./login/LoginGate";
import { SessionsPage } from "./sessions/SessionsPage";

const router = createHashRouter([
  {
    element: <Console />,
    children: [
      { path: "/hosts", element: <HostsPage /> },
      { path: "/sessions", element: <SessionsPage /> },
      { path: "/agents", element: <AgentsPage /> },
      { path: "*", element: <Navigate to="/agents" replace /> },
    ],
  },
]);

mount(
  <LoginGate realm="admin">
    <RouterProvider router={router} />
  </LoginGate>,
);
