import { HashRouter, Navigate, Route, Routes } from "react-router";

import { AccessPage } from "./access/AccessPage";
import { AgentsPage } from "./agents/AgentsPage";
import { Console } from "./app/Console";
import { mount } from "./app/mount";
import { AuditPage } from "./audit/AuditPage";
import { HostsPage } from "./hosts/HostsPage";
import { LoginGate } from "./login/LoginGate";
import { OverviewPage } from "./overview/OverviewPage";
import { SessionsPage } from "./sessions/SessionsPage";

mount(
  <LoginGate realm="admin">
    <HashRouter>
      <Routes>
        <Route element={<Console />}>
          <Route path="/overview" element={<OverviewPage />} />
          <Route path="/hosts" element={<HostsPage />} />
          <Route path="/sessions" element={<SessionsPage />} />
          <Route path="/agents" element={<AgentsPage />} />
          <Route path="/access" element={<AccessPage />} />
          <Route path="/audit" element={<AuditPage />} />
          <Route path="*" element={<Navigate to="/overview" replace />} />
        </Route>
      </Routes>
    </HashRouter>
  </LoginGate>,
);
