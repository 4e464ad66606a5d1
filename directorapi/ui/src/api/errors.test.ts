import { expect, test } from "vitest";

import { answer, api } from "./client";
import { refusal, UnreachableError } from "./errors";
import { TestDirector } from "../test/director";

const plain = (body: string, type: string) =>
  new Response(body, { status: 502, headers: { "Content-Type": type, "X-Request-Id": "req-9" } });

test.each([
  {
    name: "a sentence of plain text is shown",
    type: "text/plain; charset=utf-8",
    body: "ws1 is gone.\n",
    says: /^ws1 is gone\.$/,
  },
  {
    name: "a web page of a proxy is not",
    type: "text/html",
    body: "<h1>Bad gateway</h1>",
    says: /status 502/,
  },
  { name: "nothing is put into words", type: "text/plain", body: "", says: /status 502/ },
])("$name", ({ type, body, says }) => {
  const error = refusal(body, plain(body, type));
  expect(error.message).toMatch(says);
  expect(error.requestId).toBe("req-9");
});

test("a problem gives its sentence, its code and its request", () => {
  const body = {
    type: "urn:dcvix:conflict",
    title: "",
    status: 409,
    detail: "ws1 is taken.",
    instance: "req-1",
  };
  const error = refusal(body, Response.json(body, { status: 409 }));
  expect(error).toMatchObject({
    message: "ws1 is taken.",
    code: "conflict",
    requestId: "req-1",
    status: 409,
  });
});

test("an answer that is no JSON is told from a director's", async () => {
  new TestDirector({ answers: { "GET /v1/user/servers": () => new Response("<html>", { status: 200 }) } });
  await expect(answer(api.GET("/v1/user/servers"))).rejects.toThrow(/did not come from a director/);
});

test("no answer at all is another error than a refusal", async () => {
  new TestDirector({ away: true });
  await expect(answer(api.GET("/v1/user/servers"))).rejects.toBeInstanceOf(UnreachableError);
});
