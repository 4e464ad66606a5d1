package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/internal/durable"
	"github.com/dcvix/dcvix/internal/private"
	"github.com/dcvix/dcvix/session"
)

// ImportConfig says which database [Import01] looks at. Path is required.
type ImportConfig struct {
	Path string // where the old database is, and the new one will be

	// Reserved are names no agent may have. A registered agent of such a name
	// comes over as one that waits for approval.
	Reserved []dcvix.Hostname

	// Tell is given what was done, once the new database is in its place. When it
	// returns an error, or the program is killed in it, the next Import01 tells the
	// same again. nil means nobody is told.
	Tell func(Report) error
}

// A Report says what became of a database of the 0.1 generation.
type Report struct {
	Path   string     // of the new database
	Aside  string     // where the old one is now, byte for byte
	Lost   string     // why the old one could not be read, and so the new one is empty; "" when it could
	Agents []Imported // every entry that was found, ordered by GUID
}

// An Imported is an entry of the old database and what it is in the new one.
type Imported struct {
	GUID     string           // as found, at most 256 bytes; it may be none
	Hostname string           // as found, at most 256 bytes; it may be none
	Was      dcvix.AgentState // pending too when the state had an unknown name
	Now      dcvix.AgentState // "" means that it was not imported
	Reason   string           // why Now is not Was, or the entry has no key; "" when it came over as it was
}

// ReasonNoKey says why an entry was not imported that waited or was registered:
// without its key anybody could claim it. Its agent asks again by itself.
const ReasonNoKey = "its key is not known"

// Count returns how many entries are in that state now; "" counts those that were
// not imported.
func (r Report) Count(now dcvix.AgentState) int {
	n := 0
	for _, a := range r.Agents {
		if a.Now == now {
			n++
		}
	}
	return n
}

// Import01 takes over the register of a director of the 0.1 generation: it makes
// a new database of what the one at Path says, moves the old one and its side
// files aside (".0.1", unchanged but for their permissions, which become 0600) and
// puts the new one in its place. An old one that cannot be read is moved aside too
// and the new one is empty. The old director must have been stopped.
//
// It leaves a file alone that is not there, empty, one of ours, or so damaged that
// nobody can tell whose it is; [Open] makes, opens or refuses it. Killed at any
// moment it leaves a folder Path+".importing", with which the next call goes on.
// Only one call for a Path may run at a time.
//
// The schema of that generation is not known. What is taken for an agent, and
// what is done with it, stands in docs/decisions/0008 of this module.
func Import01(ctx context.Context, cfg ImportConfig) error {
	return (&importing{ImportConfig: cfg}).run(ctx)
}

// Files in the folder of an import. Once the report is there, the new database is
// whole and will take its place.
const (
	importFolder = ".importing"
	oldFile      = "old.db"
	newFile      = "new.db"
	reportFile   = "report.json"
)

// sides are what SQLite keeps beside a database, and the database itself.
func sides() []string { return []string{"-wal", "-shm", "-journal", ""} }

// interrupted says whether a new database waits to take the place of the one at path.
func interrupted(path string) bool {
	return exists(filepath.Join(path+importFolder, reportFile)) && exists(filepath.Join(path+importFolder, newFile))
}

// An importing is one call of Import01.
type importing struct {
	ImportConfig
	reached func(step string) error // where a test may end it; nil in earnest
}

func (i *importing) at(step string) error {
	if i.reached == nil {
		return nil
	}
	return i.reached(step)
}

func (i *importing) in(file string) string { return filepath.Join(i.Path+importFolder, file) }

func (i *importing) run(ctx context.Context) error {
	report, err := i.built()
	if errors.Is(err, fs.ErrNotExist) {
		report, err = i.build(ctx)
	}
	if err != nil {
		return fmt.Errorf("import %s: %w", i.Path, err)
	}
	if report == nil {
		return nil
	}
	if err := i.swap(report.Aside); err != nil {
		return fmt.Errorf("put the imported database at %s: %w", i.Path, err)
	}
	if i.Tell != nil {
		if err := i.Tell(*report); err != nil {
			return fmt.Errorf("tell what was imported to %s: %w", i.Path, err)
		}
	}
	if err := i.at("told"); err != nil {
		return err
	}
	if err := os.RemoveAll(i.in("")); err != nil {
		return fmt.Errorf("end the import to %s: %w", i.Path, err)
	}
	return nil
}

// built returns the report of an import that was killed after it was whole.
func (i *importing) built() (*Report, error) {
	data, err := os.ReadFile(i.in(reportFile))
	if err != nil {
		return nil, err
	}
	report := new(Report)
	if err := json.Unmarshal(data, report); err != nil {
		return nil, fmt.Errorf("%s is damaged, remove the folder %s: %w", i.in(reportFile), i.in(""), err)
	}
	return report, nil
}

// build makes the new database and its report in the import's folder. It returns
// nil when there is nothing to import.
func (i *importing) build(ctx context.Context) (*Report, error) {
	if err := os.RemoveAll(i.in("")); err != nil { // of a call that was killed
		return nil, err
	}
	if foreign, err := mayBeForeign(i.Path); err != nil || !foreign {
		return nil, err
	}
	if err := i.copyOld(); err != nil {
		return nil, err
	}
	old, err := readOld(ctx, i.in(oldFile))
	if err != nil {
		return nil, err
	}
	if !old.foreign {
		return nil, os.RemoveAll(i.in(""))
	}
	if err := i.at("read"); err != nil {
		return nil, err
	}
	decided := decide(old.entries, i.Reserved)
	if err := i.fill(ctx, decided); err != nil {
		return nil, err
	}
	report := &Report{Path: i.Path, Aside: aside(i.Path), Lost: old.lost}
	for _, d := range decided {
		report.Agents = append(report.Agents, d.Imported)
	}
	return report, i.writeReport(report)
}

// copyOld copies the old database, so that whatever SQLite does to read it (a
// roll-back, an index of its log) is done to the copy.
func (i *importing) copyOld() error {
	if err := private.MkdirAll(i.in("")); err != nil {
		return err
	}
	for _, side := range sides() {
		if side == "-shm" { // an index of the log, which SQLite makes anew
			continue
		}
		if err := copyFile(i.in(oldFile+side), i.Path+side); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("copy the old database: %w", err)
		}
	}
	return i.at("copied")
}

// fill makes the new database. Nothing is synchronised before its end.
func (i *importing) fill(ctx context.Context, decided []decision) error {
	path := i.in(newFile)
	store, err := open(ctx, path, "off", nil)
	if err != nil {
		return err
	}
	if err := errors.Join(addAgents(ctx, store, decided), store.Close()); err != nil {
		return err
	}
	for _, side := range sides() {
		if side != "" && exists(path+side) {
			return fmt.Errorf("%s has a side file still: remove the folder %s and try again", path, i.in(""))
		}
	}
	if err := syncFile(path); err != nil {
		return err
	}
	return i.at("filled")
}

func addAgents(ctx context.Context, store *Store, decided []decision) error {
	var agents []session.Agent
	var ids []dcvix.AgentID
	for _, d := range decided {
		if d.Now != "" {
			agents, ids = append(agents, d.agent), append(ids, d.agent.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return store.ChangeAgents(ctx, func(entries []*session.Agent) error {
		for i := range entries {
			entries[i] = &agents[i]
		}
		return nil
	}, ids...)
}

// writeReport is what makes the import happen: from here on it goes forward alone.
func (i *importing) writeReport(report *Report) error {
	data, err := json.Marshal(report)
	if err != nil {
		return err
	}
	temp := i.in(reportFile + ".tmp")
	if err := os.WriteFile(temp, data, 0o600); err != nil {
		return err
	}
	if err := syncFile(temp); err != nil {
		return err
	}
	if err := os.Rename(temp, i.in(reportFile)); err != nil {
		return err
	}
	if err := errors.Join(durable.SyncFolder(i.in("")), durable.SyncFolder(filepath.Dir(i.Path))); err != nil {
		return err
	}
	return i.at("built")
}

// swap moves the old database aside and the new one into place. It does what is
// left to do when it was killed before.
func (i *importing) swap(aside string) error {
	if !exists(i.in(newFile)) {
		return nil // it is in its place
	}
	if exists(i.Path) && exists(aside) {
		return fmt.Errorf("it is there again, and %s too: remove or rename one of them", aside)
	}
	for _, side := range sides() {
		if err := moveAside(i.Path+side, aside+side); err != nil {
			return err
		}
		if err := i.at("aside" + side); err != nil {
			return err
		}
	}
	dir := filepath.Dir(i.Path)
	if err := durable.SyncFolder(dir); err != nil {
		return err
	}
	if err := os.Rename(i.in(newFile), i.Path); err != nil {
		return err
	}
	if err := durable.SyncFolder(dir); err != nil {
		return err
	}
	return i.at("placed")
}

func moveAside(from, to string) error {
	if !exists(from) {
		return nil
	}
	if _, err := private.Tighten(from); err != nil {
		return err
	}
	return os.Rename(from, to)
}
