package session

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/dcvix/dcvix"
)

// The files of a policy, in its folder.
const (
	UsersFile = "users.json"
	PoolsFile = "pools.json"
)

// Rules are a policy: who may use which hosts. They never change; a new policy
// is a new value. The zero value lets nobody do anything.
type Rules struct {
	users map[dcvix.Username]Access
	// Problems are what is wrong with the files but does not keep the rest from
	// counting: one sentence each.
	Problems []string
}

// Access is what one user may do.
type Access struct {
	Known bool // the policy names the user
	Admin bool
	// Hosts are the names the policy gives: the user's workstations in its order,
	// then the members of the user's pools, without duplicates, and without
	// ALLOW_CUSTOM.
	Hosts []string
	// Custom lets the user name any registered host.
	Custom bool
	// Pools are the pools that the user may open.
	Pools []Pool
}

// Access returns what a user may do. A user whom no file knows may do nothing. The
// caller must not change the Hosts.
func (r *Rules) Access(user dcvix.Username) Access { return r.users[user] }

// Both spellings of the 0.1 generation's documentation are read, and
// encoding/json compares keys without regard to case.
type userEntry struct {
	ID           string   `json:"id"`
	UserID       string   `json:"userID"`
	Admin        bool     `json:"admin"`
	Workstations []string `json:"workstations"`
	Pools        []string `json:"pools"`
}

type poolEntry struct {
	ID           string   `json:"id"`
	PoolID       string   `json:"poolID"`
	Workstations []string `json:"workstations"`
}

// ParseRules reads a policy from the content of [UsersFile] and [PoolsFile]. A
// file that cannot be understood is an error that names file and line; anything
// less is one of the Problems.
func ParseRules(users, pools []byte) (*Rules, error) {
	var userList []userEntry
	var poolList []poolEntry
	err := errors.Join(parseList(UsersFile, users, &userList), parseList(PoolsFile, pools, &poolList))
	if err != nil {
		return nil, err
	}
	r := &Rules{users: make(map[dcvix.Username]Access, len(userList))}
	members := r.pools(poolList)
	for _, u := range userList {
		id := dcvix.Username(cmp.Or(u.ID, u.UserID))
		if u.ID != "" && u.UserID != "" && u.ID != u.UserID {
			r.problem("%s: entry %q is passed over: it has the other name %q too: keep one", UsersFile, u.ID, u.UserID)
			continue
		}
		if err := id.Validate(); err != nil {
			r.problem("%s: entry %q is passed over: %v", UsersFile, string(id), err)
			continue
		}
		if _, twice := r.users[id]; twice {
			r.problem("%s: %q is there twice, the first counts: merge the entries", UsersFile, string(id))
			continue
		}
		r.users[id] = r.access(id, u, members)
	}
	return r, nil
}

func (r *Rules) pools(list []poolEntry) map[string][]string {
	members := make(map[string][]string, len(list))
	for _, p := range list {
		id := strings.ToLower(cmp.Or(p.ID, p.PoolID))
		if id == "" || p.ID != "" && p.PoolID != "" && p.ID != p.PoolID {
			r.problem("%s: a pool is passed over: it needs one id, not %q and %q", PoolsFile, p.ID, p.PoolID)
			continue
		}
		if _, twice := members[id]; twice {
			r.problem("%s: pool %q is there twice, the first counts: merge the entries", PoolsFile, id)
			continue
		}
		members[id] = p.Workstations
	}
	return members
}

func (r *Rules) access(id dcvix.Username, u userEntry, members map[string][]string) Access {
	a := Access{Known: true, Admin: u.Admin}
	names := slices.Clone(u.Workstations)
	for _, pool := range u.Pools {
		hosts, ok := members[strings.ToLower(pool)]
		if !ok {
			r.problem("%s: user %q has the pool %q, which %s does not know", UsersFile, string(id), pool, PoolsFile)
		}
		names = append(names, hosts...)
		if ok {
			a.Pools = append(a.Pools, Pool{ID: pool, Hosts: hosts})
		}
	}
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		if name == dcvix.AllowCustom {
			a.Custom = true
			continue
		}
		host, err := dcvix.ParseHostname(name)
		if err != nil {
			r.problem("%s: user %q has a workstation that is passed over: %v", UsersFile, string(id), err)
			continue
		}
		if !seen[string(host)] {
			seen[string(host)] = true
			a.Hosts = append(a.Hosts, name)
		}
	}
	return a
}

func (r *Rules) problem(format string, args ...any) { // any: as package fmt
	r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
}

// parseList reads a JSON array; an empty file is an empty one.
func parseList[T any](file string, data []byte, into *[]T) error {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if len(bytes.TrimSpace(data)) == 0 {
		return nil
	}
	err := json.Unmarshal(data, into)
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
		return fmt.Errorf("%s line %d: not JSON: %w", file, lineAt(data, syntax.Offset), err)
	}
	if kind := (*json.UnmarshalTypeError)(nil); errors.As(err, &kind) {
		return fmt.Errorf("%s line %d: %s cannot be a %s: see the documentation of the policy files", file, lineAt(data, kind.Offset), what(kind), kind.Value)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// what says which part of a file has the wrong kind.
func what(kind *json.UnmarshalTypeError) string {
	switch {
	case kind.Field != "":
		return strconv.Quote(kind.Field)
	case kind.Type.Kind() == reflect.Struct:
		return "an entry"
	}
	return "the file"
}

func lineAt(data []byte, offset int64) int {
	return 1 + bytes.Count(data[:min(int64(len(data)), max(offset-1, 0))], []byte("\n"))
}
