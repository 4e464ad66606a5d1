import { Container, Group, Text } from "@mantine/core";

import { DesktopsPage } from "../desktops/DesktopsPage";
import { LoginGate } from "../login/LoginGate";
import { Mark } from "../parts/Mark";
import { UserBar } from "./UserBar";

/** Portal is the page for people. */
export function Portal() {
  return (
    <LoginGate realm="user">
      <header className="bar">
        <Group gap="xs">
          <Mark size={24} />
          <Text fw={600}>dcvix</Text>
        </Group>
        <UserBar realm="user" />
      </header>
      <Container component="main" size="lg" py="xl">
        <DesktopsPage />
      </Container>
    </LoginGate>
  );
}
