import { createHashRouter, Navigate, RouterProvider } from "react-router";

import { AccessPage } from "./access/AccessPage";
import { AgentsPage } from "./agents/AgentsPage";
import { Console } from "./app/Console";
import { mount } from "./app/mount";
import { AuditPage } from "./audit/AuditPage";
import { HostsPage } from "./hosts/HostsPage";
import { LoginGate } from "./login/LoginGate";
import { OverviewPage } from "./overview/OverviewPage";
import { SessionsPage } from "./sessions/SessionsPage";

const router = createHashRouter([
  {
    element: <Console />,
    children: [
      { path: "/overview", element: <OverviewPage /> },
      { path: "/hosts", element: <HostsPage /> },
      { path: "/sessions", element: <SessionsPage /> },
      { path: "/agents", element: <AgentsPage /> },
      { path: "/access", element: <AccessPage /> },
      { path: "/audit", element: <AuditPage /> },
      { path: "*", element: <Navigate to="/overview" replace /> },
    ],
  },
]);

mount(
  <LoginGate realm="admin">
    <RouterProvider router={router} />
  </LoginGate>,
);
