package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"vethlab/examples"
	"vethlab/labengine/sandbox"
	"vethlab/server"
)

func serveCommand() *cobra.Command {
	var listen, state string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the page, and print the URL that opens it",
		Long: `Serve the page, and print the URL that opens it. The URL holds a token that works once.

Ctrl+C stops the labs after asking once. SIGTERM ends the server alone: the labs go on, and the next start finds them.
Scripts sign in with "Authorization: Bearer", and the token in VETHLAB_TOKEN or, without it, in the state folder's file
"token".`,
		Args: takes(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), listen, state, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8080", "the address to listen on")
	cmd.Flags().StringVar(&state, "state", defaultState(), "the folder for labs and accounts")
	return cmd
}

// defaultState is where a system service or a user keeps state: file-hierarchy(7) and the XDG base directories.
func defaultState() string {
	if os.Geteuid() == 0 {
		return "/var/lib/vethlab"
	}
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "vethlab")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "vethlab-state"
	}
	return filepath.Join(home, ".local", "state", "vethlab")
}

func serve(ctx context.Context, listen, state string, stdout, stderr io.Writer) error {
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			return fmt.Errorf("%s is in use: end what listens there, or choose another address with --listen", listen)
		}
		return fmt.Errorf("%w; choose another address with --listen, as 127.0.0.1:8080", err)
	}
	defer listener.Close()
	s, err := server.New(ctx, server.Config{
		State: state, Labs: labProcesses{}, Page: page(), Examples: examples.FS, Version: programVersion(),
		Token: os.Getenv("VETHLAB_TOKEN"), Log: log, ARPEntries: arpEntries(),
	})
	if err != nil {
		return err
	}
	httpServer := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- httpServer.Serve(listener) }()

	interrupts := make(chan os.Signal, 2) // asked for before the URL tells anybody that there is a server to interrupt
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)

	url := s.LoginURL("http://" + shownAddress(listener))
	fmt.Fprintln(stdout, url)
	openInBrowser(url)

	stopLabs := false
	select {
	case err = <-served:
	case <-ctx.Done():
	case <-interrupts:
		stopLabs = confirm(ctx, interrupts, stderr)
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	if stopLabs {
		err = errors.Join(err, s.StopLabs(closing))
	}
	httpServer.Close()
	return errors.Join(err, s.Close(closing))
}

// confirm asks once whether to stop the labs: another Ctrl+C within ten seconds does, silence leaves them running.
func confirm(ctx context.Context, interrupts <-chan os.Signal, stderr io.Writer) bool {
	fmt.Fprintln(stderr, "\nPress Ctrl+C again to stop the running labs too. In ten seconds the server ends and leaves them running.")
	select {
	case <-interrupts:
		return true
	case <-ctx.Done():
	case <-time.After(10 * time.Second):
	}
	return false
}

// shownAddress is where a browser on this machine finds the listener.
func shownAddress(l net.Listener) string {
	address := l.Addr().(*net.TCPAddr)
	if address.IP.IsUnspecified() {
		return fmt.Sprintf("127.0.0.1:%d", address.Port)
	}
	return address.String()
}

// openInBrowser opens the URL where there is a desktop.
func openInBrowser(url string) {
	if os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
		return
	}
	if opener, err := exec.LookPath("xdg-open"); err == nil {
		cmd := exec.Command(opener, url)
		if cmd.Start() == nil {
			go cmd.Wait()
		}
	}
}

// labProcesses starts lab processes for the server, which knows nothing of the kernel.
type labProcesses struct{}

// Start implements [server.Labs].
func (labProcesses) Start(ctx context.Context, dir string) (server.Process, error) {
	p, err := startProcess(ctx, sandbox.Launch{Dir: dir, Args: []string{"lab"}})
	if err != nil {
		return nil, err // a nil *sandbox.Process in an interface would not be nil
	}
	return p, nil
}

// Find implements [server.Labs].
func (labProcesses) Find(dir string) (server.Process, error) {
	p, err := sandbox.Find(dir)
	if errors.Is(err, sandbox.ErrNotRunning) {
		return nil, server.ErrNotRunning
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}
