// Package dcvcli drives the dcv command, the administration tool of an Amazon
// DCV server.
//
// A [CLI] has a method for each verb of the command and returns typed values. It
// runs the command through a [Runner], by default a [Command] that starts a
// process, and it is the only place that knows what differs between platforms
// and versions of DCV: which options a platform takes, how sessions are printed,
// and that an exit status says little about what really exists. Package
// dcvcli/dcvclitest has a DCV to test against.
//
// What changes something runs one at a time and is judged by what the host shows
// afterwards, as far as it shows it. What only looks runs at once. Answers are
// read leniently: what a server does not say, or says in another form, is a zero
// value, and only what has no id is missing, with a [*PartialListError].
//
// It decides nothing about who may have a session, and it keeps no state: what
// the command says is the truth.
//
// Facts about the command come from the Amazon DCV Administrator Guide; what the
// guide leaves open and was seen in use is marked so at the code that relies on
// it. Some verbs have no method, since nobody has published what they print or
// take: list-endpoints, get-config, on-client-connected, on-client-disconnected.
// Run those through a [Command].
package dcvcli
