package session

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dcvix/dcvix"
)

// An AuditAction is what an [AuditRecord] is about.
type AuditAction string

// The actions on record. The list only grows.
const (
	AuditLogin           AuditAction = "login"
	AuditLogout          AuditAction = "logout"
	AuditSessionOpen     AuditAction = "session.open"
	AuditSessionClose    AuditAction = "session.close"
	AuditSessionConnect  AuditAction = "session.connect"   // a connection token was asked for
	AuditSessionResolve  AuditAction = "session.resolve"   // refused to a connection gateway; what is answered is not on record
	AuditSessionVerify   AuditAction = "session.verify"    // refused to a DCV server; what is answered is not on record
	AuditSettingsPush    AuditAction = "settings.push"     // settings of a DCV server, by a user
	AuditAgentRegister   AuditAction = "agent.register"    // an unknown agent was noted as pending, or an agent was refused
	AuditAgentApprove    AuditAction = "agent.approve"     // by an admin
	AuditAgentDeny       AuditAction = "agent.deny"        // by an admin
	AuditAgentRevoke     AuditAction = "agent.revoke"      // by an admin
	AuditAgentReactivate AuditAction = "agent.reactivate"  // by an admin
	AuditAgentConflict   AuditAction = "agent.conflict"    // another key was shown under a known GUID
	AuditAgentCertify    AuditAction = "agent.certify"     // a certificate was asked for by a registered agent
	AuditAgentReport     AuditAction = "agent.report"      // refused; reports that are taken in are not on record
	AuditAgentRenameWish AuditAction = "agent.rename-wish" // an agent asks for another name
	AuditAgentForget     AuditAction = "agent.forget"      // an agent was deleted for its age
	AuditHostDrain       AuditAction = "host.drain"        // a host gets no new sessions, by an admin
	AuditHostUndrain     AuditAction = "host.undrain"      // by an admin
	AuditPolicyReload    AuditAction = "policy.reload"
	AuditExport          AuditAction = "audit.export"        // by an admin
	AuditForgetDenial    AuditAction = "agent.forget-denial" // by an admin
	AuditServerRenewed   AuditAction = "ca.server-renewed"   // the director's own certificate, for its age or its names
	AuditStoreImport     AuditAction = "store.import"        // the register of a director of the 0.1 generation was taken over, or could not be read
	AuditCut             AuditAction = "audit.cut"           // the record before was cut off by a crash and set aside
)

// An AuditOutcome is what came of an act.
type AuditOutcome string

// The outcomes of an act.
const (
	AuditOK      AuditOutcome = "ok"
	AuditRefused AuditOutcome = "refused" // it may not be, or not as things are
	AuditFailed  AuditOutcome = "failed"  // it was tried and could not be done
	// AuditChallenged is of a login that is neither granted nor refused yet: its
	// backend asks for a second step.
	AuditChallenged AuditOutcome = "challenged"
)

// An AuditRole says what the actor of a record is. "" means that this is not
// known, as of a login that was refused.
type AuditRole string

// The roles of actors.
const (
	AuditUser     AuditRole = "user"
	AuditAdmin    AuditRole = "admin"
	AuditAgent    AuditRole = "agent"
	AuditDirector AuditRole = "director" // it acted by itself or by its operator's order
)

// An AuditRecord says who did what, from where, and what came of it. It holds no
// secret. All texts may be "".
type AuditRecord struct {
	Time      time.Time    `json:"time"` // to the millisecond
	Action    AuditAction  `json:"action"`
	Outcome   AuditOutcome `json:"outcome"`
	Role      AuditRole    `json:"role,omitempty"`
	Actor     string       `json:"actor,omitempty"` // user name, or an agent's GUID
	Address   string       `json:"address,omitempty"`
	RequestID string       `json:"request_id,omitempty"`
	Target    string       `json:"target,omitempty"` // an agent's GUID or a session's id
	Reason    string       `json:"reason,omitempty"` // why it was refused or failed
	Old       string       `json:"old,omitempty"`
	New       string       `json:"new,omitempty"`
	Count     int          `json:"count,omitempty"` // how many like it this record stands for; 0 means 1
}

// maxAuditText is the longest text of a record, in bytes: user names and host
// names, the longest that are well formed, have 256.
const maxAuditText = 512

// Bounded returns the record as an [AuditLog] keeps it: the time to the
// millisecond, and texts that are valid UTF-8 of up to 512 bytes.
func (r AuditRecord) Bounded() AuditRecord {
	r.Time = r.Time.UTC().Truncate(time.Millisecond)
	r.Action, r.Outcome, r.Role = bounded(r.Action), bounded(r.Outcome), bounded(r.Role)
	for _, text := range []*string{&r.Actor, &r.Address, &r.RequestID, &r.Target, &r.Reason, &r.Old, &r.New} {
		*text = bounded(*text)
	}
	return r
}

func bounded[T ~string](text T) T {
	s := string(text)
	if len(s) <= maxAuditText && utf8.ValidString(s) {
		return text
	}
	s = strings.ToValidUTF8(s[:min(len(s), maxAuditText)], "\uFFFD")
	for len(s) > maxAuditText {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return T(s)
}

// An AuditQuery says which records to read. Its zero value asks for the newest
// of all.
type AuditQuery struct {
	From    time.Time    // the earliest; zero means no bound
	Until   time.Time    // records from then on are left out; zero means no bound
	Action  AuditAction  // "" means all; one that ends with a dot means all that begin so, such as "session."
	Outcome AuditOutcome // "" means all
	Actor   string       // "" means everybody
	Target  string       // "" means all
	Text    string       // what stands in any text of a record, in letters of either case; "" means anything
	Limit   int          // how many records, the newest ones; 0 means 1,000
}

// Matches says whether the query, apart from its limit, asks for the record.
func (q AuditQuery) Matches(r AuditRecord) bool {
	switch {
	case !q.From.IsZero() && r.Time.Before(q.From), !q.Until.IsZero() && !r.Time.Before(q.Until):
		return false
	case !q.Action.includes(r.Action), q.Outcome != "" && r.Outcome != q.Outcome, q.Actor != "" && r.Actor != q.Actor, q.Target != "" && r.Target != q.Target:
		return false
	}
	return q.Text == "" || r.contains(q.Text)
}

// includes says whether an action in a query asks for one of a record.
func (a AuditAction) includes(other AuditAction) bool {
	return a == "" || a == other || strings.HasSuffix(string(a), ".") && strings.HasPrefix(string(other), string(a))
}

// contains says whether a text of the record has that in it, in letters of either
// case.
func (r *AuditRecord) contains(text string) bool {
	text = strings.ToLower(text)
	for _, in := range []string{
		string(r.Action), string(r.Outcome), string(r.Role), r.Actor, r.Address, r.RequestID, r.Target, r.Reason, r.Old, r.New,
	} {
		if strings.Contains(strings.ToLower(in), text) {
			return true
		}
	}
	return false
}

// Most returns the limit of the query, the default filled in.
func (q AuditQuery) Most() int {
	if q.Limit <= 0 {
		return 1000
	}
	return q.Limit
}

// An AuditLog keeps who did what. Implementations are safe for concurrent use and
// pass [sessiontest.TestAuditLog].
//
// [sessiontest.TestAuditLog]: https://pkg.go.dev/github.com/dcvix/dcvix/session/sessiontest#TestAuditLog
type AuditLog interface {
	// Append adds a record, as [AuditRecord.Bounded] gives it, after all whose
	// Append has returned. Once it returns nil the record is on stable storage.
	// When it returns an error the record may be there or not. It writes nothing
	// when ctx is done before it begins.
	Append(ctx context.Context, r AuditRecord) error
	// Read returns the newest records that the query asks for, in the order in
	// which they were added. Old ones may be gone, as a log is bounded.
	Read(ctx context.Context, q AuditQuery) ([]AuditRecord, error)
	// Scan calls f with every record that the query asks for, whatever its limit, in
	// the order in which they were added, and takes no more memory for many than for
	// one. It ends with an error of f, which it returns as it is. Records that are
	// added meanwhile may be among them or not, and appending does not wait for f.
	Scan(ctx context.Context, q AuditQuery, f func(AuditRecord) error) error
}

// Agent returns the entry of an agent, and whether there is one. It costs no disk
// read.
func (b *Broker) Agent(id dcvix.AgentID) (Agent, bool) { return b.register.get(id) }
