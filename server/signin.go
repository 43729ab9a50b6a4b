package server

import (
	"errors"
	"html/template"
	"net/http"
	"strings"
)

// icon is the page's, web/src/app/icon.svg: a browser that is told of none asks for /favicon.ico.
const icon = `<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E` +
	`%3Cpath d='M3 8h10' stroke='%2378838a' stroke-width='1.75'/%3E%3Crect x='1' y='5' width='4' height='6' fill='%23c2281d'/%3E` +
	`%3Crect x='11' y='5' width='4' height='6' fill='%231d5dc0'/%3E%3C/svg%3E">`

// The two pages that are there without the built page: they need no script.
var (
	welcomePage = template.Must(template.New("welcome").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><title>vethlab</title>` + icon + `
<meta http-equiv="refresh" content="0;url={{.}}">
<body style="font:16px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:34rem;padding:0 1.5rem">
<p>You are signed in. <a href="{{.}}">Go on to vethlab</a>.</p></body></html>
`))
	signInPage = template.Must(template.New("sign in").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Sign in · vethlab</title>` + icon + `<style>
:root{color-scheme:light dark}
body{font:16px/1.55 system-ui,sans-serif;margin:0;min-height:100vh;display:grid;place-items:center;
 background:light-dark(#f6f5f1,#17181a);color:light-dark(#1d1f21,#e8e6e1)}
main{max-width:32rem;margin:2rem 1.5rem}
svg{display:block;margin-bottom:1.5rem}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .75rem}
ol{padding-left:1.25rem}li{margin:.6rem 0}
code{font:.9em ui-monospace,monospace;background:light-dark(#e9e7e0,#26282b);padding:.1em .35em;border-radius:4px}
form{display:flex;gap:.5rem;margin-top:.5rem;flex-wrap:wrap}
input{flex:1 1 14rem;font:inherit;padding:.5rem .7rem;border:1px solid light-dark(#8a877d,#6f7378);border-radius:6px;
 background:light-dark(#fff,#1f2123);color:inherit;min-width:0}
button{font:inherit;padding:.5rem 1rem;border:0;border-radius:6px;background:light-dark(#1d1f21,#e8e6e1);
 color:light-dark(#fff,#17181a);cursor:pointer}
:focus-visible{outline:3px solid light-dark(#1f6feb,#79b0ff);outline-offset:2px}
a{color:inherit}.muted{color:light-dark(#5d5b54,#a9a7a1)}
</style></head><body><main>
<svg width="120" height="36" viewBox="0 0 120 36" fill="none" stroke="currentColor" stroke-width="2" aria-hidden="true">
<rect x="1" y="6" width="34" height="24" rx="4"/><rect x="85" y="6" width="34" height="24" rx="4"/>
<path d="M35 18c20-14 30 14 50 0"/><circle cx="35" cy="18" r="3" fill="currentColor"/><circle cx="85" cy="18" r="3" fill="currentColor"/></svg>
<h1>{{.Title}}</h1>
<p>{{.Detail}}</p>
<ol>
<li>Stop <code>vethlab serve</code> (labs may go on) and start it again: it prints a new URL, which signs you in.</li>
<li>Or paste the token from the file <code>token</code> in vethlab's state folder, or <code>VETHLAB_TOKEN</code> where that
was set:
<form method="post" action="/login"><input type="hidden" name="next" value="{{.Next}}">
<input name="token" type="password" autocomplete="current-password" aria-label="Token" required autofocus>
<button>Sign in</button></form></li>
</ol>
<p class="muted">Signed in already, and came here from another site? <a href="{{.Next}}">Go on</a>.</p>
</main></body></html>
`))
)

type signIn struct{ Title, Detail, Next string }

// writeSignIn says why someone is not signed in, and how to be.
func (s *Server) writeSignIn(w http.ResponseWriter, r *http.Request, status int, err error) {
	page := signIn{Title: "Sign in to vethlab", Next: nextPage(r)}
	if r.URL.Path != "/login" {
		page.Next = r.URL.RequestURI()
	}
	switch {
	case err == nil:
		page.Detail = "This browser is not signed in, or no longer: a session lasts 30 days."
	case errors.Is(err, errBadBearer):
		page.Title, page.Detail = "That is not the token", "What you entered is not the token of this server."
	case errors.Is(err, errBadLogin) && r.URL.Query().Get("token") == "":
		page.Detail = "This browser is not signed in."
	case errors.Is(err, errBadLogin):
		page.Title, page.Detail = "This link has been used", "A printed URL signs in one browser, once, within 15 minutes. This one was used before, or is older than that."
	default:
		page.Title, page.Detail = "Signing in did not work", problemOf(s.config.Log, err).Error()
		status = httpStatus(problemOf(s.config.Log, err).Code)
	}
	writeHTML(w, status, signInPage, page)
}

func writeHTML(w http.ResponseWriter, status int, page *template.Template, data any) {
	var b strings.Builder
	if err := page.Execute(&b, data); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Referrer-Policy", "same-origin") // with no-referrer the form's Origin would be "null", Fetch §3.2
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write([]byte(b.String()))
}
