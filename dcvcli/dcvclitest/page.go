package dcvclitest

import (
	"embed"
	"encoding/json"
	"log/slog"
	"net/http"
	"path"
)

//go:embed web
var web embed.FS

// servePage serves the web client, at any path that is not one of its files: a
// real server may have a web-url-path.
func servePage(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "+
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer") // the token is in the page's address
	h.Set("Cache-Control", "no-store")
	switch name := path.Base(r.URL.Path); name {
	case "viewer.js", "viewer.css", "favicon.svg":
		http.ServeFileFS(w, r, web, "web/"+name)
	case "favicon.ico":
		http.ServeFileFS(w, r, web, "web/favicon.svg")
	default:
		http.ServeFileFS(w, r, web, "web/desktop.html")
	}
}

// sessions tells the page who is connected to what. A real server tells nobody.
func (s *Server) sessions(w http.ResponseWriter, r *http.Request) {
	type row struct {
		ID      string   `json:"id"`
		Type    string   `json:"type"`
		Owner   string   `json:"owner"`
		Clients []string `json:"clients"`
	}
	state, err := s.cfg.DCV.State()
	if err != nil {
		s.cfg.Logger.ErrorContext(r.Context(), "sessions not listed", slog.Any("err", err))
		http.Error(w, "The fake DCV server cannot read its state.", http.StatusInternalServerError)
		return
	}
	list := struct {
		Host     string `json:"host"`
		Sessions []row  `json:"sessions"`
	}{Host: s.cfg.Name, Sessions: []row{}}
	for _, session := range state.Sessions {
		line := row{ID: session.ID, Type: session.Type, Owner: session.Owner, Clients: []string{}}
		for _, c := range session.Connections {
			client := c.User + " from " + c.Address
			if c.Gateway != "" {
				client += ", the gateway " + c.Gateway
			}
			line.Clients = append(line.Clients, client)
		}
		list.Sessions = append(list.Sessions, line)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if err := json.NewEncoder(w).Encode(list); err != nil {
		s.cfg.Logger.DebugContext(r.Context(), "sessions not sent", slog.Any("err", err))
	}
}
