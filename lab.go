package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"vethlab/labengine"
	"vethlab/labengine/client"
	"vethlab/labengine/live"
	"vethlab/labengine/sandbox"
)

// labCommand is the lab process, PID 1 of its lab. Nobody types it.
func labCommand() *cobra.Command {
	var lifeline bool
	cmd := &cobra.Command{
		Use:    "lab",
		Short:  "Be a lab process (started by serve and run)",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			box, err := sandbox.Init()
			if err != nil {
				return err
			}
			if lifeline {
				go func() {
					io.Copy(io.Discard, os.Stdin)
					os.Exit(0) // and the kernel takes the lab away
				}()
			}
			log := slog.New(slog.NewTextHandler(os.Stderr, nil))
			return live.Run(cmd.Context(), box, live.Config{Version: programVersion(), Log: log})
		},
	}
	cmd.Flags().BoolVar(&lifeline, "lifeline", false, "end at the end of standard input")
	return cmd
}

// startProcess starts a lab process. Where it cannot, the error is a problem that says what to do.
func startProcess(ctx context.Context, launch sandbox.Launch) (*sandbox.Process, error) {
	p, err := sandbox.Start(ctx, launch)
	var refused *sandbox.Error
	if errors.Is(err, sandbox.ErrNoNamespaces) && errors.As(err, &refused) {
		problem := labengine.Problemf(labengine.CodeNotSupported, "%s: %v", refused.Op, refused.Err).WithHint(refused.Hint)
		problem.Err = err
		return nil, problem
	}
	return p, err
}

// startedLab is a lab process that this process has started for itself, with its folder. It does not outlive us.
type startedLab struct {
	dir      string
	process  *sandbox.Process
	conn     *client.Conn
	lifeline *os.File
}

// startLab makes a lab in a folder of its own, and returns when it runs.
func startLab(ctx context.Context, lab labengine.Lab) (*startedLab, error) {
	dir, err := os.MkdirTemp("", "vethlab-")
	if err != nil {
		return nil, err
	}
	s := &startedLab{dir: dir}
	if err := s.start(ctx, lab); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *startedLab) start(ctx context.Context, lab labengine.Lab) error {
	end, lifeline, err := os.Pipe()
	if err != nil {
		return err
	}
	defer end.Close()
	s.lifeline = lifeline
	var begin []byte
	var beginErr error
	var encoding sync.WaitGroup
	encoding.Go(func() { // while the process starts
		begin, beginErr = client.Encode(labengine.Request{ID: "begin", Begin: &labengine.Begin{Protocol: labengine.Protocol, Lab: lab}})
	})
	defer encoding.Wait()
	launch := sandbox.Launch{Dir: s.dir, Args: []string{"lab", "--lifeline"}, Lifeline: end}
	if s.process, err = startProcess(ctx, launch); err != nil {
		return err
	}
	if s.conn, err = client.New(s.process.Dial).Connect(ctx); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { s.conn.Close() })()
	if encoding.Wait(); beginErr != nil {
		return beginErr
	}
	if err := s.conn.SendEncoded(begin); err != nil {
		return err
	}
	_, err = s.await("begin")
	return err
}

// await receives until the reply to a request comes, and gives the newest snapshot that came before it.
func (s *startedLab) await(request labengine.ID) (*labengine.Snapshot, error) {
	var snapshot *labengine.Snapshot
	for {
		m, err := s.conn.Receive()
		if err != nil {
			return nil, errors.Join(err, s.process.Err())
		}
		if m.Snapshot != nil {
			snapshot = m.Snapshot
		}
		if m.Reply != nil && m.Reply.Request == request {
			if m.Reply.Problem != nil {
				return nil, m.Reply.Problem
			}
			return snapshot, nil
		}
	}
}

// observe is the lab as it is now.
func (s *startedLab) observe() (labengine.Lab, error) {
	resume := labengine.Request{ID: "observe", Resume: &labengine.Resume{Protocol: labengine.Protocol, After: 1 << 62}}
	if err := s.conn.Send(resume); err != nil {
		return labengine.Lab{}, err
	}
	snapshot, err := s.await("observe")
	if err != nil {
		return labengine.Lab{}, err
	}
	if snapshot == nil {
		return labengine.Lab{}, errors.New("the lab process sent no snapshot")
	}
	return snapshot.Lab, nil
}

// close ends the lab and everything in it.
func (s *startedLab) close() error {
	var err error
	if s.conn != nil {
		s.conn.Close()
	}
	if s.process != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		err = s.process.Kill(ctx)
	}
	if s.lifeline != nil {
		s.lifeline.Close()
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// dial opens a plain connection to the lab process.
func (s *startedLab) dial(ctx context.Context) (*net.UnixConn, error) {
	conn, err := s.process.Dial(ctx)
	if err != nil {
		return nil, err
	}
	unixConn, ok := conn.(*net.UnixConn)
	if !ok {
		conn.Close()
		return nil, fmt.Errorf("the lab's socket is a %T", conn)
	}
	return unixConn, nil
}
