import { vi } from "vitest";

import type { Agent, DesktopsResponse, Server, Session } from "../api/client";
import type { components } from "../api/schema.gen";
import type { Desktop } from "../desktops/desktops";

type Problem = components["schemas"]["Problem"];
type Overview = components["schemas"]["Overview"];
type Handler = (request: Request, part: string) => Promise<Response> | Response;

/** problem is a refusal as the director answers it. */
export function problem(status: number, code: string, detail: string, more: Partial<Problem> = {}): Response {
  const body: Problem = {
    type: `urn:dcvix:${code}`,
    title: code,
    status,
    detail,
    instance: "req-7",
    ...more,
  };
  return Response.json(body, { status, headers: { "Content-Type": "application/problem+json" } });
}

/** session is a session of alice on ws1, but for what is given. */
export function session(given: Partial<Session> = {}): Session {
  return {
    id: "dcvix_1",
    owner: "alice",
    user: "alice",
    "num-of-connections": 0,
    "creation-time": "2026-11-22T09:12:00Z",
    "last-disconnection-time": null,
    "licensing-mode": "",
    "storage-root": "",
    type: "console",
    status: "created",
    "x11-display": "",
    "x11-authority": "",
    server_id: "ws1",
    ...given,
  };
}

/** desktop is a free host, but for what is given. */
export function desktop(given: Partial<Desktop> = {}): Desktop {
  return {
    kind: "host",
    name: "ws1",
    serverId: "ws1",
    state: "ready",
    detail: "It is free.",
    types: ["console", "virtual"],
    sessions: [],
    hosts: 1,
    free: 1,
    ...given,
  };
}

/** agent is a registered agent, but for what is given. */
export function agent(given: Partial<Agent> = {}): Agent {
  return {
    guid: "6a1e2f0c-0000-4000-8000-000000000001",
    hostname: "ws1",
    state: "registered",
    created_at: "2026-11-22T09:00:00Z",
    registered_at: "2026-11-22T09:05:00Z",
    last_seen_at: "2026-11-22T09:12:00Z",
    cert_serial: "",
    tags: [],
    fingerprint: "9F:3A:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:C2",
    ...given,
  };
}

/** host is a host that has just reported, but for what is given. */
export function host(given: Partial<Server> = {}): Server {
  return {
    hostname: "ws1",
    agent_ip: "192.0.2.7",
    free_memory: 48 * 2 ** 30,
    total_memory: 64 * 2 ** 30,
    cores: 16,
    cpu_usage: 12.4,
    load1: 0.5,
    load5: 0.25,
    load15: 0.1,
    tags: [],
    "last-seen": new Date().toISOString(),
    sessions: [],
    ...given,
  };
}

/** overview is of a director that needs nobody, but for what is given. */
export function overview(given: Partial<Overview> = {}): Overview {
  return {
    version: "0.2.0",
    lastReportAt: new Date().toISOString(),
    hosts: { total: 2, drained: 0, silent: 0, starting: 0, offline: 0, ready: 2 },
    sessions: { total: 3, connected: 1 },
    agents: { pending: 0, registered: 2, revoked: 0, conflicts: 0 },
    policyProblems: 0,
    history: { begin: "2026-11-21T17:15:00Z", stepSeconds: 900, points: [null, { total: 3, connected: 1 }] },
    ca: { fingerprint: "41:BE:07", endsAt: "2036-11-20T08:00:00Z" },
    certificates: [],
    licences: [],
    attention: [],
    attentionTotal: 0,
    ...given,
  };
}

/**
 * A TestDirector answers the pages' requests from memory as a director would:
 * a login opens the routes, a session that was opened is listed, a closed one is
 * not. `answers` replaces single routes; `away` lets no answer through.
 */
export class TestDirector {
  loggedIn = true;
  away = false;
  otp: "never" | "optional" | "required" = "never";
  passwords: Record<string, string> = { alice: "wonder", root: "toor" };
  servers: string[] = []; // hosts that alice may open; ALLOW_CUSTOM is any other
  desktops: Desktop[] = []; // what comes before them
  sessions: Session[] = [];
  agents: Agent[] = [];
  hosts: Server[] = [];
  overview: Overview = overview();
  audit: components["schemas"]["AuditRecord"][] = [];
  answers: Record<string, Handler> = {};
  readonly requests: Request[] = [];

  constructor(given: Partial<TestDirector> = {}) {
    Object.assign(this, given);
    vi.stubGlobal("fetch", (request: Request) => this.answer(request));
  }

  /** bodies returns what was sent to a route, in order. */
  async bodies(route: string): Promise<unknown[]> {
    const sent = this.requests.filter((request) => routeOf(request).startsWith(route));
    return Promise.all(
      sent.map(async (request) => JSON.parse((await request.clone().text()) || "{}") as unknown),
    );
  }

  private async answer(request: Request): Promise<Response> {
    if (this.away) throw new TypeError("Failed to fetch");
    this.requests.push(request.clone());
    const route = routeOf(request);
    const part = decodeURIComponent(route.split("/").at(-1) ?? "");
    const own = this.answers[route];
    if (own) return own(request, part);
    return this.open(route, request) ?? (this.loggedIn ? this.closed(route, request, part) : loginFirst());
  }

  private open(route: string, request: Request): Promise<Response> | Response | undefined {
    switch (route) {
      case "GET /v1/user/login":
        return Response.json({ otp: this.otp });
      case "POST /v1/user/login":
      case "POST /v1/admin/login":
        return this.logIn(request);
      case "POST /v1/logout":
        this.loggedIn = false;
        return new Response(null);
    }
    return undefined;
  }

  private async logIn(request: Request): Promise<Response> {
    const { userID, password } = (await request.clone().json()) as { userID: string; password: string };
    if (this.passwords[userID] !== password) {
      return problem(401, "unauthenticated", "The user name, the password or the code is wrong.");
    }
    this.loggedIn = true;
    return Response.json({});
  }

  private closed(route: string, request: Request, part: string): Promise<Response> | Response {
    switch (route) {
      case "GET /v1/auth-health":
        return Response.json({ status: "healthy" });
      case "GET /v1/user/desktops":
        return Response.json(this.listed());
      case "GET /v1/sessions":
        return Response.json(this.sessions);
      case "GET /v1/servers":
        return Response.json(this.hosts);
      case "GET /v1/admin/agents":
        return Response.json(this.agents);
      case "GET /v1/admin/overview":
        return Response.json(this.overview);
      case "GET /v1/admin/audit":
        return Response.json({ records: this.audit });
      case "GET /v1/admin/denials":
        return Response.json([]);
      case "GET /v1/admin/policy":
        return Response.json({ problems: [], entries: [], pools: [] });
      case "POST /v1/user/sessions":
        return this.openDesktop(request);
      case "GET /v1/user/connectiontoken":
        return Response.json({ token: "v4.local.tok", host: "ws1.lab.example", port: 8443, webUrlPath: "/" });
    }
    if (route.startsWith("DELETE /v1/sessions/")) {
      this.sessions = this.sessions.filter(({ id }) => id !== part);
      return Response.json({ status: "success", code: 200, message: "", body: "" });
    }
    if (route.startsWith("POST /v1/admin/agents/")) return this.decide(route);
    if (/^(GET|POST) \/v1\/(admin\/)?servers\//.test(route)) return this.aboutHost(route, request);
    return problem(404, "not-found", "There is no such page.");
  }

  /** listed is what alice may open. */
  listed(): DesktopsResponse {
    const custom = this.servers.includes("ALLOW_CUSTOM");
    const own = this.servers.filter((name) => name !== "ALLOW_CUSTOM");
    const others = this.sessions.map(({ server_id = "" }) => server_id).filter((name) => !own.includes(name));
    const hosts = [...own, ...others].map((name) => {
      const sessions = this.sessions.filter(({ server_id }) => server_id === name);
      const taken = sessions.some((one) => one["num-of-connections"] > 0) ? "in-use" : "own";
      return desktop({ name, serverId: name, sessions, state: sessions.length === 0 ? "ready" : taken });
    });
    return { desktops: [...this.desktops, ...hosts], ...(custom ? { custom } : {}) };
  }

  private async openDesktop(request: Request): Promise<Response> {
    const { serverId = "ws9", sessionType } = (await request.clone().json()) as {
      serverId?: string; // absent: a pool's, which has ws9
      sessionType: Session["type"];
    };
    const old = this.sessions.find((one) => one.server_id === serverId && one.type === sessionType);
    const opened =
      old ??
      session({ id: `dcvix_${String(this.sessions.length + 1)}`, server_id: serverId, type: sessionType });
    if (!old) this.sessions = [...this.sessions, opened];
    return Response.json({ sessionID: opened.id, serverId, sessionType, reused: Boolean(old) });
  }

  private async aboutHost(route: string, request: Request): Promise<Response> {
    const [name = "", act = ""] = decodeURIComponent(route.replace(/^.*\/servers\//, "")).split("/");
    const one = this.hosts.find(({ hostname }) => hostname === name);
    if (!one) return problem(404, "not-found", "There is no such host.");
    if (act === "history") {
      const samples = [null, { cpu: 12, load: 0.5, sessions: 1, connections: 0 }];
      return Response.json({ serverId: name, begin: null, stepSeconds: 60, samples });
    }
    if (act === "") return Response.json({ ...one, reports: true, agent: agent({ hostname: name }) });
    const ready = { ...one };
    delete ready.maintenance;
    const { message = "" } = (await request
      .clone()
      .json()
      .catch(() => ({}))) as { message?: string };
    const drained = { ...ready, maintenance: { message, by: "root", since: null } };
    this.hosts = this.hosts.map((other) => (other === one ? (act === "drain" ? drained : ready) : other));
    return new Response(null);
  }

  private decide(route: string): Response {
    const [guid, act] = route.split("/").slice(-2);
    const state = act === "revoke" ? "revoked" : "registered";
    this.agents = this.agents
      .filter((one) => act !== "deny" || one.guid !== guid)
      .map((one) => (one.guid === guid ? { ...one, state } : one));
    return new Response(null);
  }
}

function routeOf({ method, url }: Request): string {
  return `${method} ${new URL(url).pathname.replace("/prefix", "")}`;
}

function loginFirst(): Response {
  return problem(401, "unauthenticated", "Log in first.");
}
