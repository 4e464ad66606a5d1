package dcvclitest

import "time"

// Faults are the ways in which a [DCV] misbehaves, each by itself or together
// with others. The zero value is a healthy one. All of them were seen in use or
// follow from what documents leave open; [AllFaults] lists them.
type Faults struct {
	// Before anything is done.
	Slow  time.Duration `json:"slow"`  // every command takes so long
	Hang  bool          `json:"hang"`  // no command answers until it is killed, in process until its context ends; nothing is done
	Crash bool          `json:"crash"` // every command dies at once as one that was killed: nothing is done or printed
	Down  bool          `json:"down"`  // every command fails, as while the server is stopped

	// What is done.
	NoLicence   bool          `json:"noLicence"`   // create-session fails, as when every floating licence is taken
	LoseCreated bool          `json:"loseCreated"` // create-session exits with 0 and creates nothing
	LoseClosed  bool          `json:"loseClosed"`  // close-session exits with 0 and closes nothing
	VanishAfter time.Duration `json:"vanishAfter"` // desktops created from now on crash so long after; 0 means never
	CrashAfter  bool          `json:"crashAfter"`  // every command does its act, prints nothing and dies as one that was killed
	FailDone    bool          `json:"failDone"`    // every command does its act, prints a message and exits with 1

	// What is shown.
	Lag         time.Duration `json:"lag"`         // list-sessions, describe-session and list-connections show what was so long ago
	Warning     string        `json:"warning"`     // a line that every command prints on its standard error
	Garbage     bool          `json:"garbage"`     // every command prints what nobody can read, and exits with 0
	Truncate    bool          `json:"truncate"`    // every command prints half of what it should, and exits with 0
	NoJSON      bool          `json:"noJSON"`      // --json is an unknown option, as on servers before 2017.2
	ExtraKeys   bool          `json:"extraKeys"`   // every JSON object has a key that nobody has seen
	NullTimes   bool          `json:"nullTimes"`   // a time that is "never" is null instead of ""
	NoFraction  bool          `json:"noFraction"`  // times have no fraction of a second, as in the documented samples
	UpperCase   bool          `json:"upperCase"`   // licence status and mode are in capitals, as in the documented sample of 2019
	UnquotedIDs bool          `json:"unquotedIDs"` // list-sessions as text has ids without quotes, as documented
}

// A Fault is one fault and how to switch it on.
type Fault struct {
	Name  string        // of the field of [Faults], as its JSON has it
	Apply func(*Faults) // sets the field to a typical value, and no other
}

// AllFaults returns every fault once, so that a test can draw from them and count
// which it has tried. Slow and VanishAfter are then seconds, and Lag is less than
// what [dcvcli.Config] allows for by default.
func AllFaults() []Fault {
	return []Fault{
		{"slow", func(f *Faults) { f.Slow = 5 * time.Second }},
		{"hang", func(f *Faults) { f.Hang = true }},
		{"crash", func(f *Faults) { f.Crash = true }},
		{"down", func(f *Faults) { f.Down = true }},
		{"noLicence", func(f *Faults) { f.NoLicence = true }},
		{"loseCreated", func(f *Faults) { f.LoseCreated = true }},
		{"loseClosed", func(f *Faults) { f.LoseClosed = true }},
		{"vanishAfter", func(f *Faults) { f.VanishAfter = 3 * time.Second }},
		{"crashAfter", func(f *Faults) { f.CrashAfter = true }},
		{"failDone", func(f *Faults) { f.FailDone = true }},
		{"lag", func(f *Faults) { f.Lag = 2 * time.Second }},
		{"warning", func(f *Faults) { f.Warning = "fake warning: something is old" }},
		{"garbage", func(f *Faults) { f.Garbage = true }},
		{"truncate", func(f *Faults) { f.Truncate = true }},
		{"noJSON", func(f *Faults) { f.NoJSON = true }},
		{"extraKeys", func(f *Faults) { f.ExtraKeys = true }},
		{"nullTimes", func(f *Faults) { f.NullTimes = true }},
		{"noFraction", func(f *Faults) { f.NoFraction = true }},
		{"upperCase", func(f *Faults) { f.UpperCase = true }},
		{"unquotedIDs", func(f *Faults) { f.UnquotedIDs = true }},
	}
}

// garbage is no JSON, no text form and no UTF-8.
const garbage = "\x00\xff\xfe[{\"id\" \x1b[31m (owner:\n"

// spoil returns what a command prints instead of answer.
func (f Faults) spoil(answer []byte) []byte {
	switch {
	case f.Garbage:
		return []byte(garbage)
	case f.Truncate:
		return answer[:len(answer)/2]
	}
	return answer
}
