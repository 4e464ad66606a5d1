//go:build !no_ui

package ui_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/directorapi/ui"
)

var documents = []string{"index.html", "admin/index.html"}

// address finds what a document refers to.
var address = regexp.MustCompile(`(?:src|href)="([^"]*)"`)

func TestDocumentsNameOnlyFilesThatExist(t *testing.T) {
	for _, document := range documents {
		t.Run(document, func(t *testing.T) {
			found := references(t, document)
			require.NotEmpty(t, found)
			for _, name := range found {
				assert.False(t, strings.HasPrefix(name, "/") || strings.Contains(name, ":"),
					"%s is not relative: the pages would not work under a prefix", name)
				_, err := fs.Stat(ui.FS(), path.Join(path.Dir(document), name))
				assert.NoError(t, err)
			}
		})
	}
}

func TestDocumentsRunUnderTheContentSecurityPolicy(t *testing.T) {
	tests := map[string]*regexp.Regexp{
		"no script stands in a document":    regexp.MustCompile(`<script(?:\s+[^>]*)?>[^<]`),
		"every script has an address":       regexp.MustCompile(`<script>|<script\s+(?:type="module"|crossorigin|\s)*>`),
		"no attribute is a script":          regexp.MustCompile(`\son[a-z]+=`),
		"nothing is named by a data: or so": regexp.MustCompile(`(?:src|href)="[a-z]+:`),
	}
	for name, forbidden := range tests {
		t.Run(name, func(t *testing.T) {
			for _, document := range documents {
				assert.NotRegexp(t, forbidden, string(read(t, document)))
			}
		})
	}
}

func TestStylesAndScriptsReferToNoOtherPlace(t *testing.T) {
	foreign := regexp.MustCompile(`url\(\s*["']?(?:https?:)?//|@import|import\(["']https?:|sourceMappingURL`)
	for _, name := range files(t, "assets/*") {
		assert.NotRegexp(t, foreign, string(read(t, name)), name)
	}
}

func TestFirstLoadIsSmall(t *testing.T) {
	const limit = 250_000
	for _, document := range documents {
		t.Run(document, func(t *testing.T) {
			sum := 0
			for _, name := range references(t, document) {
				if ext := path.Ext(name); ext == ".js" || ext == ".css" {
					sum += compressed(t, read(t, path.Join(path.Dir(document), name)))
				}
			}
			t.Logf("%s loads %d kB of scripts and styles, compressed", document, sum/1000)
			assert.Positive(t, sum)
			assert.LessOrEqual(t, sum, limit)
		})
	}
}

func TestLicencesOfWhatIsBundledAreShipped(t *testing.T) {
	licences := string(read(t, "licences.txt"))
	for _, name := range []string{"react ", "react-dom ", "@mantine/core ", "@tanstack/react-query ", "react-router ", "openapi-fetch "} {
		assert.Regexp(t, `(?m)^`+regexp.QuoteMeta(name), licences)
	}
	assert.Contains(t, licences, "Permission is hereby granted")
}

func TestNoFileIsLeftOver(t *testing.T) {
	known := map[string]bool{"index.html": true, "admin/index.html": true, "licences.txt": true}
	for _, document := range documents {
		for _, name := range references(t, document) {
			known[path.Join(path.Dir(document), name)] = true
		}
	}
	for _, name := range files(t, "*", "*/*") {
		assert.True(t, known[name], "%s is named by no document: build dist anew", name)
	}
}

func references(t *testing.T, document string) []string {
	t.Helper()
	var names []string
	for _, match := range address.FindAllSubmatch(read(t, document), -1) {
		names = append(names, string(match[1]))
	}
	return names
}

func files(t *testing.T, patterns ...string) []string {
	t.Helper()
	var names []string
	for _, pattern := range patterns {
		found, err := fs.Glob(ui.FS(), pattern)
		require.NoError(t, err)
		for _, name := range found {
			info, err := fs.Stat(ui.FS(), name)
			require.NoError(t, err)
			if !info.IsDir() {
				names = append(names, name)
			}
		}
	}
	require.NotEmpty(t, names)
	return names
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	content, err := fs.ReadFile(ui.FS(), name)
	require.NoError(t, err)
	return content
}

func compressed(t *testing.T, content []byte) int {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := io.Copy(w, bytes.NewReader(content))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Len()
}
