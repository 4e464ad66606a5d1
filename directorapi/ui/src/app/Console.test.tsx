import { screen } from "@testing-library/react";
import { expect, test } from "vitest";

import { LoginGate } from "../login/LoginGate";
import { agent, problem, TestDirector } from "../test/director";
import { show } from "../test/show";
import { Console } from "./Console";

const page = (
  <LoginGate realm="admin">
    <Console />
  </LoginGate>
);

test("counts on the rail how many agents wait", async () => {
  new TestDirector({ agents: [agent({ state: "pending" }), agent()] });
  show(page);
  expect(await screen.findByLabelText("1 waiting")).toBeVisible();
});

test("asks somebody who is no admin to log in as one, at the admins' login", async () => {
  const director = new TestDirector();
  director.answers["GET /v1/admin/agents"] = () => problem(403, "forbidden", "Only admins may see agents.");
  const hands = show(page);

  await hands.type(await screen.findByLabelText("User"), "root");
  director.answers = {};
  await hands.type(screen.getByLabelText("Password"), "toor{Enter}");

  expect(await screen.findByRole("link", { name: "Hosts" })).toBeVisible();
  expect(await director.bodies("POST /v1/admin/login")).toHaveLength(1);
});
