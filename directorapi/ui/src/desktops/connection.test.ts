import { expect, test } from "vitest";

import { browserURL, type Connection, connectionFile, fileName, viewerURL } from "./connection";

const plain: Connection = {
  host: "ws1.lab.example",
  port: 8443,
  path: "/",
  sessionId: "dcvix_1",
  token: "v4.local.abc-_",
  expiresAt: Infinity,
};

test("the viewer's address carries host, token and session", () => {
  expect(viewerURL(plain)).toBe("dcv://ws1.lab.example:8443/?authToken=v4.local.abc-_#dcvix_1");
});

test("the browser's address carries the path of DCV's pages", () => {
  expect(browserURL({ ...plain, path: "/dcv/a b" })).toBe(
    "https://ws1.lab.example:8443/dcv/a%20b?authToken=v4.local.abc-_#dcvix_1",
  );
});

test("nothing that comes from a host can add to the address", () => {
  const url = new URL(browserURL({ ...plain, token: "a&b=c#d", sessionId: "x?y&z", path: "p?q#r" }));
  expect(url.searchParams.get("authToken")).toBe("a&b=c#d");
  expect(url.hash).toBe("#x%3Fy%26z");
  expect(url.pathname).toBe("/p%3Fq%23r");
});

test.each(["evil.example/", "a@b", "a:1", "a?b", "", "-a", "a b", "[::1]", "a\nb"])(
  "%j is no host to send a token to",
  (host) => {
    expect(() => viewerURL({ ...plain, host })).toThrow(/cannot be used/);
    expect(() => browserURL({ ...plain, host })).toThrow(/cannot be used/);
  },
);

test("the file has the version that the viewer insists on and bare lower-case keys", () => {
  expect(connectionFile(plain)).toBe(
    [
      "[version]",
      "format=1.0",
      "",
      "[connect]",
      "host=ws1.lab.example",
      "port=8443",
      "sessionid=dcvix_1",
      "authtoken=v4.local.abc-_",
      "",
    ].join("\n"),
  );
});

test("the file names the path only where it is not DCV's own", () => {
  expect(connectionFile({ ...plain, path: "/dcv" })).toContain("\nweburlpath=/dcv\n");
});

test.each(["\n", "\r", "\u0000"])("a value with %j makes no file", (control) => {
  expect(() => connectionFile({ ...plain, token: `a${control}proxyhost=evil` })).toThrow(/breaks the line/);
});

test("the file is named after the host", () => {
  expect(fileName(plain)).toBe("ws1.lab.example.dcv");
  expect(fileName({ ...plain, host: "../x" })).toBe(".._x.dcv");
});
