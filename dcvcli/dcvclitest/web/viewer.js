// The fake web client: it reads session and token from the page's address, as
// DCV's own does, connects, and shows what a desktop would.
"use strict";

const element = (id) => document.getElementById(id);

function show(state, headline, detail) {
  document.body.dataset.state = state;
  element("headline").textContent = headline;
  element("detail").textContent = detail;
}

async function* lines(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    for (const part of parts) yield JSON.parse(part);
  }
}

async function connect(session, token) {
  const response = await fetch("/fake/connect", {
    method: "POST",
    body: new URLSearchParams({ session, token }),
  });
  if (!response.ok) {
    show("refused", "You were not let in.", await response.text());
    return;
  }
  let reason = "the connection was lost";
  try {
    for await (const line of lines(response)) {
      if (line.ended) {
        reason = line.ended;
        continue;
      }
      document.title = `${line.user} on ${line.host}`;
      show("connected", `${line.user} is on session ${line.session} of ${line.host}`, `A ${line.type} session would show here.`);
      refresh();
    }
  } catch {
    // The reason above says it.
  }
  show("ended", "The session has ended.", `Why: ${reason}.`);
}

function row(session) {
  const line = document.createElement("tr");
  for (const text of [session.id, session.type, session.owner, session.clients.join(", ") || "nobody"]) {
    line.append(Object.assign(document.createElement("td"), { textContent: text }));
  }
  return line;
}

async function refresh() {
  try {
    const response = await fetch("/fake/sessions");
    if (!response.ok) return;
    const { host, sessions } = await response.json();
    element("host").textContent = host;
    element("rows").replaceChildren(...sessions.map(row));
    element("table").hidden = sessions.length === 0;
    element("none").hidden = sessions.length > 0;
  } catch {
    // The server is away; the next time may be better.
  }
}

const session = decodeURIComponent(location.hash.slice(1));
const token = new URLSearchParams(location.search).get("authToken");
if (session && token) {
  connect(session, token).catch(() => show("ended", "The server cannot be reached.", "Reload the page to try again."));
} else {
  show("idle", "Nobody is connected here.", "Open a session from the portal: its link has a session and a token.");
}
refresh();
setInterval(refresh, 2000);
