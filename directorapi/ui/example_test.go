//go:build !no_ui

package ui_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/dcvix/dcvix/directorapi/ui"
)

// The pages are plain files: any file server shows them, under any prefix.
func ExampleFS() {
	mux := http.NewServeMux()
	mux.Handle("/desktops/", http.StripPrefix("/desktops", http.FileServerFS(ui.FS())))

	for _, page := range []string{"/desktops/", "/desktops/admin/"} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, page, nil))
		fmt.Println(page, w.Code, w.Header().Get("Content-Type"))
	}
	// Output:
	// /desktops/ 200 text/html; charset=utf-8
	// /desktops/admin/ 200 text/html; charset=utf-8
}
