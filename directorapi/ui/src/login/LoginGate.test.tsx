import { screen, waitFor } from "@testing-library/react";
import { expect, test } from "vitest";

import { Portal } from "../app/Portal";
import { problem, TestDirector } from "../test/director";
import { show } from "../test/show";
import { LoginGate } from "./LoginGate";

const user = () => screen.findByLabelText("User");
const password = () => screen.getByLabelText("Password");

test("asks for a name first, with the focus in it, and then shows the page", async () => {
  new TestDirector({ loggedIn: false, servers: ["ws1"] });
  const hands = show(<Portal />);

  expect(await user()).toHaveFocus();
  await hands.type(await user(), "alice");
  await hands.type(password(), "wonder{Enter}");

  expect(await screen.findByRole("region", { name: "ws1" })).toBeVisible();
  expect(screen.getByText("alice")).toBeVisible();
});

test("speaks to the director that is mounted where the page is, and asks for problems", async () => {
  const director = new TestDirector();
  show(<Portal />);

  await screen.findByText("My desktops");
  const [request] = director.requests.filter(({ url }) => url.endsWith("/auth-health"));
  expect(request?.url).toBe("https://director.test/prefix/v1/auth-health");
  expect(request?.headers.get("Accept")).toBe("application/problem+json, application/json");
});

test("shows the director's sentence as it is when a login is refused, and keeps what was typed", async () => {
  new TestDirector({ loggedIn: false });
  const hands = show(<Portal />);

  await hands.type(await user(), "alice");
  await hands.type(password(), "wrong{Enter}");

  expect(await screen.findByText("The user name, the password or the code is wrong.")).toBeVisible();
  expect(await user()).toHaveValue("alice");
  expect(password()).toHaveFocus();
  expect(screen.getByText(/request req-7, status 401/)).toBeInTheDocument();
});

test.each([
  { otp: "never", label: undefined, required: false },
  { otp: "optional", label: "Code (if you have one)", required: false },
  { otp: "required", label: "Code", required: true },
] as const)("asks for a code when the director says $otp", async ({ otp, label, required }) => {
  const director = new TestDirector({ loggedIn: false, otp });
  const hands = show(<Portal />);

  await user();
  if (label === undefined) {
    expect(screen.queryByLabelText(/Code/)).toBeNull();
    return;
  }
  expect(screen.getByLabelText(label)).toHaveProperty("required", required);
  await hands.type(await user(), "alice");
  await hands.type(password(), "wonder");
  await hands.type(screen.getByLabelText(label), "123456{Enter}");
  await screen.findByText("My desktops");
  expect(await director.bodies("POST /v1/user/login")).toEqual([
    { userID: "alice", password: "wonder", otp: "123456" },
  ]);
});

test("asks the second question in the backend's words and logs in again with its challenge", async () => {
  const director = new TestDirector({ loggedIn: false });
  director.answers["POST /v1/user/login"] = async (request) => {
    const { challenge, otp } = (await request.clone().json()) as { challenge?: string; otp: string };
    if (challenge === "sealed" && otp === "654321") {
      director.loggedIn = true;
      return Response.json({});
    }
    const more = { prompt: "Code from your phone", challenge: "sealed" };
    return problem(401, "otp-required", "A second step is needed.", more);
  };
  const hands = show(<Portal />);

  await hands.type(await user(), "alice");
  await hands.type(password(), "wonder{Enter}");
  const code = await screen.findByLabelText("Code from your phone");
  expect(code).toHaveFocus();
  await hands.type(code, "654321{Enter}");

  expect(await screen.findByText("My desktops")).toBeVisible();
  expect(await director.bodies("POST /v1/user/login")).toEqual([
    { userID: "alice", password: "wonder", otp: "" },
    { userID: "alice", password: "wonder", otp: "654321", challenge: "sealed" },
  ]);
});

test("a second step that is refused says so and begins with the first, without the used challenge", async () => {
  const director = new TestDirector({ loggedIn: false });
  director.answers["POST /v1/user/login"] = async (request) => {
    const { challenge } = (await request.clone().json()) as { challenge?: string };
    return challenge === undefined
      ? problem(401, "otp-required", "A second step is needed.", { prompt: "Code?", challenge: "sealed" })
      : problem(401, "unauthenticated", "The user name, the password or the code is wrong.");
  };
  const hands = show(<Portal />);

  await hands.type(await user(), "alice");
  await hands.type(password(), "wonder{Enter}");
  await hands.type(await screen.findByLabelText("Code?"), "1{Enter}");

  expect(await screen.findByText("The user name, the password or the code is wrong.")).toBeVisible();
  expect(await user()).toHaveValue("alice");
  await hands.click(screen.getByRole("button", { name: "Log in" }));
  expect(await screen.findByLabelText("Code?")).toHaveValue("");
  expect((await director.bodies("POST /v1/user/login")).at(-1)).toEqual({
    userID: "alice",
    password: "wonder",
    otp: "",
  });
});

test("an admin's second step is the admin's login again", async () => {
  const director = new TestDirector({ loggedIn: false });
  director.answers["POST /v1/admin/login"] = async (request) => {
    const { challenge, otp } = (await request.clone().json()) as { challenge?: string; otp: string };
    if (challenge === "sealed" && otp === "654321") {
      director.loggedIn = true;
      return Response.json({});
    }
    return problem(401, "otp-required", "A second step is needed.", { prompt: "Code?", challenge: "sealed" });
  };
  const hands = show(
    <LoginGate realm="admin">
      <p>All agents</p>
    </LoginGate>,
  );

  await hands.type(await user(), "root");
  await hands.type(password(), "toor{Enter}");
  await hands.type(await screen.findByLabelText("Code?"), "654321{Enter}");

  expect(await screen.findByText("All agents")).toBeVisible();
  expect(await director.bodies("POST /v1/user/login")).toEqual([]);
});

test("a login that takes long says what it may wait for", async () => {
  let go: (response: Response) => void = () => undefined;
  new TestDirector({
    loggedIn: false,
    answers: { "POST /v1/user/login": () => new Promise((resolve) => (go = resolve)) },
  });
  const hands = show(<Portal />);
  await hands.type(await user(), "alice");
  await hands.type(password(), "wonder{Enter}");
  expect(screen.queryByText(/confirm it there/)).toBeNull();
  expect(await screen.findByText(/If your phone shows a message/)).toBeVisible();
  go(Response.json({}));
  await waitFor(() => {
    expect(screen.queryByText(/confirm it there/)).toBeNull();
  });
});

test("starts again from the second question", async () => {
  new TestDirector({
    loggedIn: false,
    answers: {
      "POST /v1/user/login": () =>
        problem(401, "otp-required", "A second step is needed.", { challenge: "x" }),
    },
  });
  const hands = show(<Portal />);

  await hands.type(await user(), "alice");
  await hands.type(password(), "wonder{Enter}");
  await screen.findByLabelText("Code");
  await hands.click(screen.getByRole("button", { name: "Start again" }));

  expect(await user()).toHaveValue("alice");
});

test("a login that ends in the middle of work asks for the password and keeps what was typed", async () => {
  const director = new TestDirector({ loggedIn: false, servers: ["ALLOW_CUSTOM", "ws1"] });
  const hands = show(<Portal />);
  await hands.type(await user(), "alice");
  await hands.type(password(), "wonder{Enter}");
  await hands.type(await screen.findByLabelText("Name of the host"), "cad-14");

  director.loggedIn = false;
  await hands.click(screen.getByRole("button", { name: "Open" }));

  expect(await screen.findByText("Your login has ended")).toBeVisible();
  expect(screen.queryByText("Log in first.")).toBeNull();
  await hands.type(password(), "wonder{Enter}");
  await waitFor(() => {
    expect(screen.queryByText("Your login has ended")).toBeNull();
  });
  expect(screen.getByLabelText("Name of the host")).toHaveValue("cad-14");
  expect((await director.bodies("POST /v1/user/login")).at(-1)).toMatchObject({ userID: "alice" });
});

test("what was refused because the login had ended is done after the next one, once", async () => {
  const director = new TestDirector({ loggedIn: false, servers: ["ws1"] });
  const hands = show(<Portal />);
  await hands.type(await user(), "alice");
  await hands.type(password(), "wonder{Enter}");
  const open = await screen.findByRole("button", { name: "Open" });

  director.loggedIn = false;
  await hands.click(open);
  await hands.type(await screen.findByLabelText("Password"), "wrong{Enter}");
  await screen.findByText("The user name, the password or the code is wrong.");
  expect(director.sessions).toHaveLength(0);
  await hands.clear(password());
  await hands.type(password(), "wonder{Enter}");

  expect(await screen.findByRole("link", { name: "Browser" })).toBeVisible();
  expect(director.sessions).toHaveLength(1);
  expect(await director.bodies("POST /v1/user/sessions")).toHaveLength(2); // the refused and the good one
});

test("who logs in as somebody else gets nothing of what was asked before", async () => {
  const director = new TestDirector({ loggedIn: false, servers: ["ws1"] });
  const hands = show(<Portal />);
  await hands.type(await user(), "alice");
  await hands.type(password(), "wonder{Enter}");
  const open = await screen.findByRole("button", { name: "Open" });

  director.loggedIn = false;
  await hands.click(open);
  await hands.click(await screen.findByRole("button", { name: "Log in as somebody else" }));
  await hands.type(await user(), "root");
  await hands.type(password(), "toor{Enter}");

  await screen.findByRole("region", { name: "ws1" });
  expect(await director.bodies("POST /v1/user/sessions")).toHaveLength(1);
  expect(director.sessions).toHaveLength(0);
});

test("logs out and forgets who was there", async () => {
  const director = new TestDirector({ servers: ["ws1"] });
  localStorage.setItem("dcvix.user", "alice");
  const hands = show(<Portal />);

  await hands.click(await screen.findByRole("button", { name: "Log out" }));

  expect(await user()).toHaveValue("");
  expect(director.loggedIn).toBe(false);
  expect(localStorage.getItem("dcvix.user")).toBeNull();
});

test("says that the director cannot be reached, tries again and goes on by itself", async () => {
  const director = new TestDirector({ away: true, servers: ["ws1"] });
  show(<Portal />);

  expect(await screen.findByText(/The director does not answer/)).toBeVisible();
  director.away = false;

  expect(await screen.findByRole("region", { name: "ws1" })).toBeVisible();
  expect(screen.queryByText(/The director does not answer/)).toBeNull();
});
