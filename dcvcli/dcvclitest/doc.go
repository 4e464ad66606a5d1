// Package dcvclitest is an Amazon DCV to test against: the dcv command, the
// server that viewers connect to, the gateway before it, and a viewer.
//
// A [DCV] is one host's sessions and obeys the dcv command. It keeps them in
// memory or, with a directory, in a file that several processes may share. Used
// as a [dcvcli.Runner] it stands in for the command inside a test; through
// [Main] a test binary becomes a dcv command of its own. It has a [Profile],
// knows what the account that runs it may do, and misbehaves on demand: see
// [Faults] and [AllFaults].
//
// A [Server] lets clients into the sessions of a DCV: it asks the configured
// verifier about every token exactly as a DCV server does, and then the session's
// permissions. It takes its settings from a dcv.conf when it is given one. A
// [Gateway] asks a session resolver where a session is, exactly as DCV Connection
// Gateway does, and passes the client on. [Dial] is the client, and a browser that
// opens the server's web page another; the wire between them is this package's
// own, for no public document describes DCV's.
//
// What a real DCV does is told from its Administrator Guide ("documented") and
// from public code and notes ("seen in use"); what is said to be "assumed" follows
// from neither, and a test should not rely on it. Where nothing is known, as with
// the words of errors and the keys of some answers, the fake says "fake" in its
// answer so that nobody comes to rely on it.
package dcvclitest
