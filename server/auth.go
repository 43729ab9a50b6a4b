package server

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"vethlab/labengine"
)

// scriptAuthor is who has made a change that came with the bearer token.
const scriptAuthor = "script"

type authorKey struct{}

// authorOf is who makes a request that has passed [Server.authenticated].
func authorOf(r *http.Request) string {
	author, _ := r.Context().Value(authorKey{}).(string)
	return author
}

// cookieName is of its own for each port, because cookies are not: two servers on one machine would sign each other's
// users out. RFC 6265 §8.5.
func cookieName(r *http.Request) string {
	if _, port, err := net.SplitHostPort(r.Host); err == nil {
		return "vethlab-" + port
	}
	return "vethlab"
}

// caller is who makes a request: by a session's cookie, or by the bearer token. "" is nobody.
func (s *Server) caller(r *http.Request) (author string, byCookie bool, err error) {
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "bearer") {
		if s.isBearer(strings.TrimSpace(token)) {
			return scriptAuthor, false, nil
		}
		return "", false, nil
	}
	cookie, err := r.Cookie(cookieName(r))
	if err != nil {
		return "", false, nil
	}
	author, ok, err := s.store.sessionAuthor(r.Context(), cookie.Value)
	if !ok {
		return "", false, err
	}
	return author, true, nil
}

// isBearer compares hashes, so that the time that it takes says nothing, of the token's length neither.
func (s *Server) isBearer(token string) bool {
	got, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(s.bearer))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// authenticated lets through who has signed in, from this server's own pages or from none.
func (s *Server) authenticated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		author, byCookie, err := s.caller(r)
		switch {
		case err != nil:
			writeProblem(w, problemOf(s.config.Log, err))
			return
		case author == "":
			w.Header().Set("WWW-Authenticate", `Bearer realm="vethlab"`)
			writeProblem(w, labengine.Problemf(labengine.CodeUnauthorized, "you are not signed in, or no longer").
				WithHint("open the URL that vethlab printed when it started; scripts send Authorization: Bearer with the token in the state folder's file `token`"))
			return
		}
		if p := checkOrigin(r, byCookie); p != nil {
			writeProblem(w, p)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), authorKey{}, author)))
	})
}

// checkOrigin refuses requests that the page of another site makes with the user's cookie: each websocket, and each
// request that changes something. Browsers send Origin with both (RFC 6454 §7.3, RFC 6455 §4.1).
func checkOrigin(r *http.Request, byCookie bool) *labengine.Problem {
	socket := websocket.IsWebSocketUpgrade(r)
	if !socket && (r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions) {
		return nil
	}
	origin := r.Header.Get("Origin")
	foreign := labengine.Problemf(labengine.CodeForbidden, "the request comes from %q, and this is %q", origin, r.Host).
		WithHint("only vethlab's own pages may do that; behind a proxy, let it pass the Host header on")
	if origin == "" {
		if byCookie && r.Header.Get("Sec-Fetch-Site") != "same-origin" {
			foreign.Message = "the request does not say from which page it comes (Origin)"
			return foreign
		}
		return nil
	}
	u, err := url.Parse(origin)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || !strings.EqualFold(u.Host, r.Host) {
		return foreign
	}
	return nil
}

// checkHost refuses, where a request arrived over loopback, a Host that is none: a foreign name that was made to resolve
// to 127.0.0.1 (DNS rebinding). Which port it names does not matter: a page of another port has another Origin, and
// tunnels and development proxies have ports of their own.
func checkHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		if local != nil && isLoopback(local.String()) && !isLoopback(r.Host) {
			writeProblem(w, labengine.Problemf(labengine.CodeForbidden, "this server is not called %q", r.Host).
				WithHint("open it as http://localhost or http://127.0.0.1 with its port"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isLoopback says whether a host, with or without a port, is this machine talking to itself.
func isLoopback(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback()
}

// login answers GET /login?token=…: it signs in with a token that is good for one time. Someone who is signed in already
// goes on, whatever the token is worth: they opened the printed URL again.
func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	session, err := s.store.redeemLoginToken(r.Context(), r.URL.Query().Get("token"))
	if err == nil {
		s.welcome(w, r, session)
		return
	}
	if author, _, callerErr := s.caller(r); callerErr == nil && author != "" {
		writeHTML(w, http.StatusOK, welcomePage, nextPage(r))
		return
	}
	s.writeSignIn(w, r, http.StatusUnauthorized, err)
}

// loginByForm answers POST /login, with the bearer token in the form.
func (s *Server) loginByForm(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 8<<10)
	if p := checkOrigin(r, true); p != nil { // or another site signs its visitors in here
		writeProblem(w, p)
		return
	}
	if !s.isBearer(strings.TrimSpace(r.PostFormValue("token"))) {
		s.writeSignIn(w, r, http.StatusUnauthorized, errBadBearer)
		return
	}
	session, err := s.store.newSession(r.Context())
	if err != nil {
		s.writeSignIn(w, r, http.StatusInternalServerError, err)
		return
	}
	s.welcome(w, r, session)
}

var errBadBearer = errors.New("that is not the token")

// welcome sets the session's cookie and leads on to the page. It does so by a page of its own: a redirect that began at
// a link on another site would not carry a SameSite=Strict cookie.
func (s *Server) welcome(w http.ResponseWriter, r *http.Request, session string) {
	http.SetCookie(w, &http.Cookie{
		Name: cookieName(r), Value: session, Path: "/", MaxAge: int(sessionLife / time.Second),
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil,
	})
	writeHTML(w, http.StatusOK, welcomePage, nextPage(r))
}

// nextPage is where to go after signing in: a path of this server.
func nextPage(r *http.Request) string {
	next := r.FormValue("next")
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n") ||
		strings.HasPrefix(next, "/login") {
		return "/"
	}
	return next
}
