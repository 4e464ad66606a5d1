// Package dcvclitest is an Amazon DCV to test against: the dcv command, the
// server that viewers connect to, and a viewer.
//
// A [DCV] is one host's sessions and obeys the dcv command. It keeps them in
// memory or, with a directory, in a file that several processes may share. Used
// as a [dcvcli.Runner] it stands in for the command inside a test; through
// [Main] a test binary becomes a dcv command of its own. A [Server] lets clients
// into the sessions of a DCV: it asks the configured verifier about every token
// exactly as a DCV server does. [Dial] is the client, and a browser that opens
// the server's web page another; the wire between the two is this package's own,
// for no public document describes DCV's.
//
// What a real DCV does is told from its Administrator Guide and from what was
// seen in use. Where neither says anything, as with the words of errors, the fake
// says "fake" in its answer so that nobody comes to rely on it.
package dcvclitest
