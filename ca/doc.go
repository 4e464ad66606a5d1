// Package ca decides who may speak: it is the certificate authority of the
// fleet and the keeper of key and certificate files.
//
// An [Authority] signs two kinds of certificate: of agents, whose names come
// from the approved record and never from the request, and of the director
// itself. [OpenKey] and [NewCSR] make what an agent sends; [ShouldRenew] says when it
// is time again; a [Reloader] serves a pair of files to crypto/tls and keeps the
// last good one. All files are written whole or not at all.
//
// The package knows nothing of agents' states, HTTP or configuration.
package ca
