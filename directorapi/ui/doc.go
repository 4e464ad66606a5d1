// Package ui holds the director's web pages as built files.
//
// There are two documents: index.html for people, to be served at the root, and
// admin/index.html for admins, to be served at admin/ below it. All addresses in
// them are relative, so the root may be under any prefix; both need the final
// slash. Files in assets/ carry a hash of their content in their names and may be
// cached for ever, the documents not at all. licences.txt names what is bundled.
//
// The pages need of a content security policy no more than
//
//	default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'
//
// The sources stand beside this file. After a change to them or to the API's
// description run
//
//	npm ci && npm run gen && npm run check && npm run build
//
// and commit what changes in dist. The package serves nothing itself: package
// directorapi takes the files through its Config.
package ui
