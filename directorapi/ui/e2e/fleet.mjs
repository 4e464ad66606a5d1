// A fleet that is not there: what a director with thousands of hosts would
// answer, for pictures of the console and for measuring it. `turn` moves every
// figure of every host and session.

const at = (seconds) => new Date(Date.now() - seconds * 1_000).toISOString();
const users = ["alice", "bob", "carol", "dan", "erin", "frank", "grace", "heidi"];
const keys = (n) =>
  Array.from({ length: 32 }, (_, i) =>
    ((n * 31 + i * 17) % 256).toString(16).padStart(2, "0").toUpperCase(),
  ).join(":");

export class Fleet {
  constructor({ hosts = 0, sessionsEach = 2, pending = 0, problems = [] } = {}) {
    this.size = hosts;
    this.sessionsEach = sessionsEach;
    this.waiting = pending;
    this.problems = problems;
    this.turns = 0;
  }

  /** turn makes all figures different. */
  turn() {
    this.turns++;
  }

  hostname(n) {
    return `ws${String(n + 1).padStart(String(this.size).length, "0")}.lab.example`;
  }

  host(n) {
    const wave = (n * 37 + this.turns * 13) % 100;
    const gpus =
      n % 3 === 0
        ? []
        : [
            {
              index: 0,
              model: "NVIDIA RTX 6000 Ada",
              driver: "570.86",
              usage: (wave * 7) % 100,
              encoder_usage: wave % 20,
              used_memory: wave * 2 ** 28,
              total_memory: 48 * 2 ** 30,
              temperature: 45,
            },
          ];
    return {
      hostname: this.hostname(n),
      guid: guid(n),
      agent_ip: `10.${String(n >> 16)}.${String((n >> 8) & 255)}.${String(n & 255)}`,
      free_memory: (100 - ((wave * 3) % 90)) * 0.01 * 64 * 2 ** 30,
      total_memory: 64 * 2 ** 30,
      cores: 16,
      cpu_usage: wave,
      load1: wave / 12,
      load5: wave / 16,
      load15: wave / 20,
      tags: n % 2 ? ["linux", "gpu"] : ["linux", "floor-2"],
      version: "0.2.0",
      "last-seen": at(n % 17 === 5 ? 400 : n % 30),
      silent: n % 17 === 5,
      ...(n % 11 === 4
        ? { maintenance: { message: "disk replacement, until 14:00", by: "admin", since: at(5_000) } }
        : {}),
      ...(n % 13 === 7 ? { problems: ["dcvserver does not answer."] } : {}),
      gpus,
      licence: {
        mode: "floating",
        products: [{ product: "dcv", status: "licensed", checked_at: at(60), expires_at: null }],
      },
      sessions: this.sessionsOf(n),
    };
  }

  sessionsOf(n) {
    const each = this.sessionsEach * ({ 3: 0, 4: 2 }[n % 5] ?? 1);
    return Array.from({ length: each }, (_, i) => ({
      id: i === 0 ? "console" : `dcvix_${String(n)}_${String(i)}`,
      owner: `${users[(n + i) % users.length]}${n < 40 ? "" : String(n)}`,
      user: "",
      "num-of-connections": (n + i + this.turns) % 3 === 0 ? 1 : 0,
      "creation-time": at(3_600 + n),
      "last-disconnection-time": (n + i) % 2 ? at(600 + n * 7) : null,
      "licensing-mode": "",
      "storage-root": "",
      type: i === 0 ? "console" : "virtual",
      status: n % 17 === 5 ? "unknown" : "created",
      "x11-display": ":0",
      "x11-authority": "",
      server_id: this.hostname(n),
      "last-seen": at(n % 30),
    }));
  }

  agents() {
    const all = Array.from({ length: this.size }, (_, n) => this.agent(n, "registered"));
    for (let n = 0; n < this.waiting; n++)
      all.push(this.agent(this.size + n, "pending", `cad-${String(14 + n)}`));
    return all;
  }

  agent(n, state, hostname = this.hostname(n)) {
    return {
      guid: guid(n),
      hostname,
      state: state === "registered" && n % 19 === 8 ? "revoked" : state,
      created_at: at(90_000 + n),
      registered_at: state === "pending" ? null : at(89_000 + n),
      last_seen_at: at(n % 30),
      cert_serial: "1F",
      tags: [],
      aliases: [],
      fingerprint: keys(n + 3),
      version: "0.2.0",
      ...(n % 23 === 11 && state !== "pending" ? { conflict: true } : {}),
    };
  }

  overview() {
    const counts = { drained: 0, silent: 0, ready: 0 };
    for (let n = 0; n < this.size; n++) {
      if (n % 11 === 4) counts.drained++;
      else if (n % 17 === 5) counts.silent++;
      else counts.ready++;
    }
    const attention = this.attention();
    return {
      version: "0.2.0",
      lastReportAt: this.size > 0 ? at(3) : null,
      hosts: { total: this.size, starting: 0, offline: 0, ...counts },
      sessions: { total: this.size * 2, connected: Math.floor(this.size * 0.66) },
      agents: { pending: this.waiting, registered: this.size, revoked: 0, conflicts: 0 },
      policyProblems: this.problems.length,
      ...(this.size > 0 ? { busiestPool: { id: "GPU pool", hosts: 8, used: 6, free: 2 } } : {}),
      history: { begin: at(86_400), stepSeconds: 900, points: day(this.size) },
      ca: { fingerprint: keys(1), endsAt: "2036-11-20T08:00:00Z" },
      certificates: [],
      licences:
        this.size > 1 ? [{ serverId: this.hostname(1), product: "dcv", endsAt: at(-4 * 86_400) }] : [],
      attention,
      attentionTotal: attention.length,
    };
  }

  attention() {
    const all = [];
    for (let n = 0; n < this.waiting; n++) {
      const { guid, hostname, fingerprint } = this.agent(this.size + n, "pending", `cad-${String(14 + n)}`);
      all.push({
        kind: "agent-pending",
        severity: "warning",
        text: `Agent "${hostname}" asks to join.`,
        since: at(300),
        serverId: hostname,
        guid,
        fingerprint,
        acts: ["approve", "deny"],
      });
    }
    if (this.size > 5) {
      const serverId = this.hostname(5);
      all.push({
        kind: "host-silent",
        severity: "warning",
        text: `${serverId} is silent.`,
        since: at(400),
        serverId,
        guid: guid(5),
        acts: ["open", "drain"],
      });
    }
    if (this.size > 1) {
      const serverId = this.hostname(1);
      all.unshift({
        kind: "licence-ends",
        severity: "critical",
        text: `${serverId}: the licence of dcv ends in 4 days.`,
        since: null,
        serverId,
        guid: guid(1),
        acts: ["open"],
      });
    }
    return all;
  }

  history(n) {
    return {
      serverId: this.hostname(n),
      begin: at(3_600),
      stepSeconds: 60,
      samples: Array.from({ length: 60 }, (_, i) =>
        i > 20 && i < 26
          ? null
          : {
              cpu: 30 + 25 * Math.sin(i / 6),
              memory: 40 + i / 4,
              gpu: 20 + ((i * 13) % 40),
              gpuMemory: 33,
              load: 2 + Math.sin(i / 9),
              sessions: 2,
              connections: i > 40 ? 2 : 1,
            },
      ),
    };
  }

  policy() {
    const few = Math.min(this.size, 8);
    return {
      problems: this.problems,
      entries: [
        ...Array.from({ length: this.size }, (_, n) => ({
          kind: "user",
          name: userOf(n),
          file: "users.json",
          line: n + 2,
          hosts: 1 + (n % 3),
          ...(n % 4 === 0 ? { pools: ["GPU pool"] } : {}),
        })),
        ...(this.size > 0
          ? [
              { kind: "group", name: "admins", file: "groups.json", line: 2, hosts: 0, admin: true },
              { kind: "group", name: "cad", file: "groups.json", line: 3, hosts: 2, pools: ["GPU pool"] },
            ]
          : []),
      ],
      pools:
        this.size > 0
          ? [
              {
                id: "GPU pool",
                file: "pools.json",
                line: 2,
                hosts: Array.from({ length: few }, (_, n) => this.hostname(n)),
                total: few,
                strategy: "least-loaded",
                require: ["gpu"],
              },
            ]
          : [],
    };
  }

  reach(name) {
    return {
      name,
      by: [
        { kind: "user", name: "alice", from: 'user "alice" (users.json:2)' },
        {
          kind: "group",
          name: "cad",
          from: 'pool "GPU pool" (pools.json:2), of group "cad" (groups.json:3)',
        },
      ],
      any: [],
    };
  }

  access(user) {
    const from = `user "${user}" (users.json:2)`;
    return {
      user,
      groups: [],
      entries: [from],
      hosts: [0, 1, 2].map((n) => ({
        name: this.hostname(n),
        from,
        agents: n === 2 ? [] : [this.hostname(n)],
      })),
      pools: [
        {
          id: "GPU pool",
          from: `pool "GPU pool" (pools.json:2), of ${from}`,
          hosts: [this.hostname(0), this.hostname(1)],
          strategy: "least-loaded",
        },
      ],
    };
  }

  audit() {
    const acts = ["session.open", "session.close", "agent.approve", "login", "host.drain"];
    return Array.from({ length: Math.min(this.size, 200) }, (_, i) => ({
      time: at(60 + i * 97),
      action: acts[i % acts.length],
      outcome: i % 9 === 4 ? "refused" : "ok",
      role: i % 3 ? "user" : "admin",
      actor: users[i % users.length],
      address: `192.0.2.${String(i % 250)}`,
      requestId: `req-${String(i)}`,
      target: this.hostname(i),
      ...(i % 9 === 4 ? { reason: "The host is drained." } : {}),
    }));
  }
}

function userOf(n) {
  return `${users[n % users.length]}${n < users.length ? "" : String(n)}`;
}

function guid(n) {
  return `6a1e2f0c-0000-4000-8000-${String(n).padStart(12, "0")}`;
}

function day(size) {
  return Array.from({ length: 96 }, (_, i) =>
    i < 8 ? null : { total: Math.round(size * (1 + Math.sin(i / 15))), connected: Math.round(size * 0.6) },
  );
}

/** answerFrom answers the requests of a page from a fleet; `also` replaces routes, also later. */
export async function answerFrom(page, fleet, also = {}) {
  await page.route("**/v1/**", async (route) => {
    const url = new URL(route.request().url());
    const path = url.pathname.slice(url.pathname.indexOf("/v1/"));
    if (path === "/v1/events") return; // a stream that is about to begin
    const isLogin = url.searchParams.get("state") === "pending"; // how the console learns who is an admin
    const own = !isLogin && Object.entries(also).find(([begin]) => path.startsWith(begin))?.[1];
    if (own) return own(route);
    const answer = answerOf(fleet, path, url.searchParams);
    if (answer === undefined)
      return route.fulfill({ status: 404, json: problem(404, "There is no such page.") });
    const { body, headers = {} } = answer;
    return route.fulfill({
      status: 200,
      headers: { "Content-Type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
  });
}

/** problem is a refusal as the director writes it. */
export function problem(status, detail) {
  return { type: "urn:dcvix:internal", title: "refused", status, detail, instance: "7b1f0c2e9a4d" };
}

function answerOf(fleet, path, query) {
  switch (path) {
    case "/v1/auth-health":
      return { body: { status: "healthy" } };
    case "/v1/servers":
    case "/v1/sessions":
      return listOf(fleet, path === "/v1/servers", query);
    case "/v1/admin/agents":
      return { body: fleet.agents() };
    case "/v1/admin/denials":
      return { body: [] };
    case "/v1/admin/policy":
      return { body: fleet.policy() };
    case "/v1/admin/policy/reach":
      return { body: fleet.reach(query.get("server") ?? query.get("pool") ?? "") };
    case "/v1/admin/policy/access":
      return { body: fleet.access(query.get("user") ?? "") };
    case "/v1/admin/overview":
      return { body: fleet.overview() };
    case "/v1/admin/audit":
      return { body: { records: fleet.audit() } };
  }
  const host = /^\/v1\/(?:admin\/)?servers\/ws(\d+)[^/]*(\/history)?$/.exec(path);
  if (!host) return undefined;
  const n = Number(host[1]) - 1;
  return {
    body: host[2]
      ? fleet.history(n)
      : { ...fleet.host(n), reports: true, agent: fleet.agent(n, "registered") },
  };
}

function listOf(fleet, whole, query) {
  const limit = Number(query.get("limit") ?? fleet.size);
  const after = query.get("after");
  const from = after ? Number(after.replace(/\D*(\d+).*/, "$1")) : 0;
  const to = Math.min(fleet.size, from + limit);
  const body = [];
  for (let n = from; n < to; n++) {
    if (whole) body.push(fleet.host(n));
    else body.push(...fleet.sessionsOf(n));
  }
  const more =
    to < fleet.size ? { Link: `<?after=${fleet.hostname(to - 1)}&limit=${String(limit)}>; rel="next"` } : {};
  return { body, headers: more };
}
