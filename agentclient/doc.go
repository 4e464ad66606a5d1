// Package agentclient is the engine of the agent, a client of the director; it
// also serves the director's calls.
//
// An [Agent] lives on a DCV host. It makes a key, asks the director for a
// certificate until an admin approved it, renews the certificate long before
// its end, reports the sessions and the load of the host, and starts and closes
// sessions when the director asks. If it is told to, it closes sessions that nobody
// has used for long. It gives up nothing by itself: whatever the
// director or the network does, it asks again, later and later.
//
// What it must know again after a restart are five files in its state folder:
//
//   - agent.guid: the name under which the director knows it, a random UUID;
//   - agent.key: its Ed25519 key, readable by its owner alone;
//   - agent.crt: its certificate;
//   - ca.pem: the CA of the director. While it is there, the director has to show
//     a certificate that exactly this CA issued, for the name the agent dials;
//   - sessions.json: which sessions were created through it.
//
// The package reads no configuration file and no environment, and starts no
// process: package dcvcli drives the dcv command behind [DCV], and what the host
// is doing comes through [Stats].
package agentclient
