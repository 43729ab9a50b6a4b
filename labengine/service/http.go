package service

import (
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Times of an HTTP connection. Nobody here has to wait for a far network.
const (
	headerTimeout = 10 * time.Second
	answerTimeout = 20 * time.Second
	idleTimeout   = 30 * time.Second
	maxHeader     = 16 << 10 // bytes
)

// serveHTTP answers each request with who called, at which address, and with what: so that NAT and proxies are seen.
func (s *Server) serveHTTP(l net.Listener) {
	server := &http.Server{
		Handler: http.HandlerFunc(s.tell), ReadHeaderTimeout: headerTimeout, ReadTimeout: answerTimeout, WriteTimeout: answerTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, ErrorLog: log.New(io.Discard, "", 0),
	}
	server.Serve(l) // until the listener is closed
}

func (s *Server) tell(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Server", "vethlab")
	w.Header().Set("Cache-Control", "no-store")
	fmt.Fprintf(w, "This is %s.\n", s.nameAt(r))
	if host, port, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		fmt.Fprintf(w, "You are %s, port %s.\n", host, port)
	}
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		fmt.Fprintf(w, "You called %s.\n", local)
	}
	fmt.Fprintf(w, "\n%s %s %s\nHost: %s\n", r.Method, r.RequestURI, r.Proto, r.Host)
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		for _, value := range r.Header[name] {
			fmt.Fprintf(w, "%s: %s\n", name, strings.ToValidUTF8(value, "?"))
		}
	}
}

// nameAt is the name of who is called: of several behind one service, that of the address.
func (s *Server) nameAt(r *http.Request) string {
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok && s.names != nil {
		if name, ok := s.names[local.AddrPort().Addr().Unmap()]; ok {
			return name
		}
	}
	return *s.name.Load()
}
