// Package dcvix is the vocabulary of a session broker for Amazon DCV remote
// desktops: the names, messages and paths that cross between its parts.
//
// A director keeps a register of the hosts that run DCV, logs people in and
// decides who gets which desktop. An agent on every host drives the dcv command
// and reports. A launcher logs a person in and starts the DCV viewer. The DCV
// server asks the director whether the token it was shown is good; desktop
// traffic goes straight from viewer to host and never passes through the
// director.
//
// There are three ways in:
//
//   - Run it: cmd/dcvix-director, cmd/dcvix-agent and cmd/dcvix-launcher are
//     complete programs, configured by an INI file each.
//   - Embed it: package directorapi/standalone opens a whole director in one
//     call, to be mounted in the mux of a portal. The example of this package
//     shows it.
//   - Extend it: implement [auth.Authenticator], [session.Store] or another of
//     the small interfaces and pass your own; the packages auth/authtest and
//     session/sessiontest check that it keeps the promises.
//
// The rooms of the house:
//
//   - ca signs and keeps certificates; auth says who a user is and auth/token
//     seals that into tokens; dcvcli speaks with the dcv command. They do not
//     know each other.
//   - session decides who gets which desktop, through small interfaces that
//     session/sqlite, session/memory and session/agenthttp implement.
//   - directorapi serves the director's HTTP API and directorapi/client calls
//     it; agentclient is the engine of the agent.
//   - cmd assembles programs from all of these.
//
// This package imports the standard library alone and has no behaviour beyond
// checking the form of what it describes.
//
// [auth.Authenticator]: https://pkg.go.dev/github.com/dcvix/dcvix/auth#Authenticator
// [session.Store]: https://pkg.go.dev/github.com/dcvix/dcvix/session#Store
package dcvix
