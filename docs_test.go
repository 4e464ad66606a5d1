package dcvix_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/cmd/agentcmd"
	"github.com/dcvix/dcvix/cmd/directorcmd"
	"github.com/dcvix/dcvix/cmd/launchercmd"
	"github.com/dcvix/dcvix/directorapi/standalone"
)

// TestTheDocuments keeps the parts of docs/ that are made from the code as the
// code is.
func TestTheDocuments(t *testing.T) {
	tests := map[string]struct {
		file, mark string
		made       func(*testing.T) string
	}{
		"configuration of the director": {"docs/configuration.md", "director", directorDefaults},
		"configuration of the agent":    {"docs/configuration.md", "agent", agentDefaults},
		"configuration of the launcher": {"docs/configuration.md", "launcher", launcherDefaults},
		"routes":                        {"docs/api.md", "routes", routeTable},
		"metrics":                       {"docs/operations.md", "metrics", metricTable},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(tt.file)
			require.NoError(t, err)
			begin := bytes.Index(text, []byte("<!-- "+tt.mark+": made"))
			require.Positive(t, begin, "the mark is missing")
			begin += bytes.IndexByte(text[begin:], '\n') + 1
			end := begin + bytes.Index(text[begin:], []byte("<!-- end -->"))
			want := tt.made(t)
			if *update {
				require.NoError(t, os.WriteFile(tt.file, slices.Concat(text[:begin], []byte(want), text[end:]), 0o644))
				return
			}
			assert.Equal(t, want, string(text[begin:end]), "run: go test . -run TestTheDocuments -update")
		})
	}
}

func directorDefaults(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "x.conf")
	require.Zero(t, directorcmd.Run(t.Context(), directorcmd.Options{Args: []string{"--write-config", path}, Environ: []string{}, Stderr: t.Output()}))
	return iniBlock(t, path)
}

func agentDefaults(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "x.conf")
	require.Zero(t, agentcmd.Main(agentcmd.Options{Args: []string{"--write-config", path}, Stderr: t.Output()}))
	return iniBlock(t, path)
}

func launcherDefaults(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "x.conf")
	require.Zero(t, launchercmd.Main(launchercmd.Options{Args: []string{"--write-config", path}, Stderr: t.Output()}))
	return iniBlock(t, path)
}

func iniBlock(t *testing.T, path string) string {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return "\n```ini\n" + string(text) + "```\n\n"
}

func routeTable(t *testing.T) string {
	doc, err := openapi3.NewLoader().LoadFromFile("directorapi/openapi.yaml")
	require.NoError(t, err)
	var rows []string
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			rows = append(rows, fmt.Sprintf("| `%s` | `%s` | %s | %s |\n", path, method, op.Extensions["x-access"], op.Summary))
		}
	}
	slices.Sort(rows)
	return "\n| path | method | who | what |\n|---|---|---|---|\n" + strings.Join(rows, "") + "\n"
}

// metricTable asks a director that has answered one request and one DCV server.
func metricTable(t *testing.T) string {
	reg := prometheus.NewRegistry()
	director, err := standalone.Open(t.Context(), t.TempDir(), standalone.Options{
		Authenticator: auth.AuthenticatorFunc(func(context.Context, auth.Credentials) (auth.Identity, error) {
			return auth.Identity{}, auth.ErrUnavailable
		}),
		Registerer: reg, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, director.Close()) }()
	director.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, dcvix.PathHealth, nil))
	families, err := reg.Gather()
	require.NoError(t, err)
	var rows strings.Builder
	rows.WriteString("\n| metric | kind | labels | what |\n|---|---|---|---|\n")
	for _, f := range families {
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, "`"+l.GetName()+"`")
		}
		fmt.Fprintf(&rows, "| `%s` | %s | %s | %s |\n", f.GetName(), strings.ToLower(f.GetType().String()), strings.Join(labels, ", "), f.GetHelp())
	}
	return rows.String() + "\n"
}

// TestTheProofsExist looks for every test that docs/security.md names.
func TestTheProofsExist(t *testing.T) {
	text, err := os.ReadFile("docs/security.md")
	require.NoError(t, err)
	named := regexp.MustCompile("`([a-z/]+)\\.(Test\\w+)`").FindAllStringSubmatch(string(text), -1)
	require.NotEmpty(t, named)
	for _, n := range named {
		files, err := filepath.Glob(filepath.Join(n[1], "*_test.go"))
		require.NoError(t, err)
		found := slices.ContainsFunc(files, func(file string) bool {
			code, err := os.ReadFile(file)
			return err == nil && bytes.Contains(code, []byte("func "+n[2]+"(t *testing.T)"))
		})
		assert.True(t, found, "package %s has no test %s", n[1], n[2])
	}
}

// TestTheLinksLead follows the links inside the documents to files.
func TestTheLinksLead(t *testing.T) {
	documents, err := filepath.Glob("*.md")
	require.NoError(t, err)
	for _, pattern := range []string{"docs/*.md", "docs/decisions/*.md"} {
		more, err := filepath.Glob(pattern)
		require.NoError(t, err)
		documents = append(documents, more...)
	}
	link := regexp.MustCompile(`\]\(([^)#]+)(#[^)]*)?\)`)
	for _, document := range documents {
		text, err := os.ReadFile(document)
		require.NoError(t, err)
		for _, found := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(found[1], "://") {
				continue
			}
			_, err := os.Stat(filepath.Join(filepath.Dir(document), found[1]))
			assert.NoError(t, err, "%s links to %s", document, found[1])
		}
	}
}
