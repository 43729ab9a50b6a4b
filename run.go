package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/creack/pty"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"vethlab/labengine"
	"vethlab/labengine/document"
	"vethlab/labengine/live"
	"vethlab/labengine/sandbox"
)

func runCommand() *cobra.Command {
	var save string
	cmd := &cobra.Command{
		Use:   "run LAB.yaml [--save OUT.yaml] [NODE COMMAND...]",
		Short: "Make a lab, run a command in one of its nodes, and take the lab away",
		Long: `Make a lab, run a command in one of its nodes, and take the lab away. The exit status is the command's.
Without a command, a shell is opened in the first machine, or in the node that is named.`,
		Example: "  vethlab run examples/red-and-blue.yaml red ping -c1 192.168.15.2",
		Args:    takes(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := cmd.Flags().Parse(args[1:]); err != nil { // behind the file, too; and before the command, whose own follow
				return err
			}
			return runLab(cmd.Context(), args[0], cmd.Flags().Args(), save)
		},
		DisableFlagsInUseLine: true,
	}
	cmd.Flags().SetInterspersed(false)
	cmd.Flags().StringVar(&save, "save", "", "write the lab as it was observed after the command to this file")
	return cmd
}

// interrupted is the exit status of who was told to end, as shells have it for SIGINT.
const interrupted = 128 + int(unix.SIGINT)

// readLab reads a lab's file; "-" is standard input.
func readLab(name string) (labengine.Lab, []byte, error) {
	var source []byte
	var err error
	if name == "-" {
		name = "standard input"
		source, err = io.ReadAll(os.Stdin)
	} else {
		source, err = os.ReadFile(name)
	}
	if err != nil {
		return labengine.Lab{}, nil, err
	}
	lab, err := document.Parse(name, source)
	return lab, source, err
}

func runLab(ctx context.Context, file string, args []string, save string) error {
	ctx, stop := signal.NotifyContext(ctx, unix.SIGINT, unix.SIGHUP)
	defer stop()
	lab, source, err := readLab(file)
	if err != nil {
		return err
	}
	if save != "" {
		if err := checkWritable(save); err != nil {
			return err
		}
	}
	node, argv := "", []string{"bash"}
	if len(args) > 0 {
		node = args[0]
		if _, err := lab.FindNode(node); err != nil {
			return err
		}
	}
	if len(args) > 1 {
		argv = args[1:]
	}
	started, err := startLab(ctx, lab)
	if err != nil && ctx.Err() != nil {
		return exitStatus(interrupted)
	}
	if err != nil {
		return err
	}
	defer started.close()
	status, err := started.exec(ctx, live.ExecRequest{Node: node, Argv: argv})
	if ctx.Err() != nil {
		return exitStatus(interrupted)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "vethlab:", err)
	}
	if save != "" {
		observed, err := started.observe()
		if err == nil {
			err = os.WriteFile(save, document.Format(observed, source), 0o644)
		}
		if err != nil {
			return fmt.Errorf("save the lab: %w", err)
		}
	}
	if status != 0 {
		return exitStatus(status)
	}
	return nil
}

// checkWritable says in time what would be in the way of a file that is to be written later.
func checkWritable(name string) error {
	err := unix.Access(name, unix.W_OK)
	if errors.Is(err, unix.ENOENT) {
		err = unix.Access(filepath.Dir(name), unix.W_OK)
	}
	if err != nil {
		return fmt.Errorf("the lab could not be saved as %s: %w", name, err)
	}
	return nil
}

// exec runs a program in the lab with our own stdin, stdout and stderr; in a terminal of the lab's where ours is one.
func (s *startedLab) exec(ctx context.Context, request live.ExecRequest) (int, error) {
	interactive := term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd()))
	if interactive {
		cols, rows, err := term.GetSize(int(os.Stdin.Fd()))
		if err != nil {
			cols, rows = 80, 24
		}
		request.TTY = &sandbox.Size{Cols: uint16(cols), Rows: uint16(rows)}
	}
	conn, err := s.dial(ctx)
	if err != nil {
		return 1, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if !interactive {
		return live.Exec(conn, request, os.Stdin, os.Stdout, os.Stderr)
	}
	master, err := live.ExecTerminal(conn, request)
	if err != nil {
		return 1, err
	}
	restore := joinTerminal(master)
	defer restore()
	return live.ExecWait(conn)
}

// joinTerminal passes keys, output and sizes between our terminal and one of the lab's. restore waits for the last
// output, and makes ours again what it was.
func joinTerminal(master *os.File) (restore func()) {
	old, err := term.MakeRaw(int(os.Stdin.Fd()))
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, unix.SIGWINCH)
	go func() {
		for range resized {
			pty.InheritSize(os.Stdin, master)
		}
	}()
	go io.Copy(master, os.Stdin) // ends with the program: a read of a terminal cannot be called off
	printed := make(chan struct{})
	go func() {
		defer close(printed)
		io.Copy(os.Stdout, master)
	}()
	return func() {
		<-printed
		signal.Stop(resized)
		close(resized)
		master.Close()
		if err == nil {
			term.Restore(int(os.Stdin.Fd()), old)
		}
	}
}
