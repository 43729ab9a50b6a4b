package server

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"vethlab/labengine"
)

//go:embed migrations/*.sql
var migrations embed.FS

// batchLimit bounds the writes that share one transaction, so that one reply never waits for a very long one.
const batchLimit = 256

// store is the database in the state folder. Reads go to the database from any goroutine. Writes are queued to one
// goroutine, which carries out all that have come while the transaction before them was running in one transaction:
// the disk is waited for once (synchronous=FULL) for all of them.
type store struct {
	reads  *sql.DB
	writes *sql.DB // one connection

	mu      sync.Mutex // guards queue and closed
	queue   []write
	closed  bool
	pending chan struct{} // holds one token while the queue may have something
	ended   chan struct{} // closed when the writing goroutine has ended
}

// write is one change to the database: it is on disk, or refused, once done is called. A nil error means on disk.
type write struct {
	do   func(tx *sql.Tx) error
	done func(error)
}

var errStoreClosed = errors.New("the store is closed")

// openStore opens the database in a folder, and brings its tables to this version's shape.
func openStore(ctx context.Context, dir string) (*store, error) {
	path := filepath.Join(dir, "vethlab.db")
	writes, err := sql.Open("sqlite", sqliteDSN(path, "immediate"))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	writes.SetMaxOpenConns(1)
	if err := migrate(ctx, writes); err != nil {
		writes.Close()
		return nil, fmt.Errorf("open %s: %w", path, diskError(err))
	}
	reads, err := sql.Open("sqlite", sqliteDSN(path, "deferred"))
	if err != nil {
		writes.Close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	reads.SetMaxOpenConns(4)
	s := &store{reads: reads, writes: writes, pending: make(chan struct{}, 1), ended: make(chan struct{})}
	go s.run()
	return s, nil
}

// sqliteDSN names the database: write-ahead log, on disk at each commit, 5 s of patience with other processes, and a
// page cache of 1 MiB. See https://www.sqlite.org/pragma.html.
func sqliteDSN(path, lock string) string {
	query := url.Values{"_txlock": {lock}, "_pragma": {
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "cache_size(-1024)",
	}}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + query.Encode()
}

func migrate(ctx context.Context, db *sql.DB) error {
	folder, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, folder)
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

// close carries out what is queued and closes the database.
func (s *store) close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.wake()
	<-s.ended
	return errors.Join(s.reads.Close(), s.writes.Close())
}

// submit queues a write and returns at once. done is called by the writing goroutine, and must not wait for anything.
func (s *store) submit(do func(tx *sql.Tx) error, done func(error)) {
	s.mu.Lock()
	closed := s.closed
	if !closed {
		s.queue = append(s.queue, write{do, done})
	}
	s.mu.Unlock()
	if closed {
		done(errStoreClosed)
		return
	}
	s.wake()
}

// write carries out one write and waits until it is on disk. It is carried out even where the context ends first.
func (s *store) write(ctx context.Context, do func(tx *sql.Tx) error) error {
	result := make(chan error, 1)
	s.submit(do, func(err error) { result <- err })
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *store) wake() {
	select {
	case s.pending <- struct{}{}:
	default:
	}
}

func (s *store) run() {
	defer close(s.ended)
	for range s.pending {
		for {
			runtime.Gosched() // pages are told within microseconds; a commit first would have them wait for its hundreds
			s.mu.Lock()
			batch := s.queue[:min(len(s.queue), batchLimit)]
			s.queue = s.queue[len(batch):]
			closed := s.closed
			s.mu.Unlock()
			if len(batch) > 0 {
				s.commit(batch)
				continue
			}
			if closed {
				return
			}
			break
		}
	}
}

// commit writes a batch in one transaction. Where that fails, each write is tried on its own, so that only those are
// refused that cannot be done.
func (s *store) commit(batch []write) {
	err := s.transact(batch)
	if err != nil && len(batch) > 1 {
		for _, w := range batch {
			s.commit([]write{w})
		}
		return
	}
	for _, w := range batch {
		w.done(err)
	}
}

func (s *store) transact(batch []write) error {
	tx, err := s.writes.Begin()
	if err != nil {
		return diskError(err)
	}
	for _, w := range batch {
		if err := w.do(tx); err != nil {
			tx.Rollback()
			return diskError(err)
		}
	}
	return diskError(tx.Commit())
}

// diskError is a problem in words where the disk is full or read-only, and err itself otherwise.
func diskError(err error) error {
	var lite *sqlite.Error
	code, extended := 0, 0 // https://www.sqlite.org/rescode.html
	if errors.As(err, &lite) {
		extended = lite.Code()
		code = extended & 0xff
	}
	switch {
	case err == nil:
		return nil
	case code == sqlite3.SQLITE_FULL || extended == sqlite3.SQLITE_IOERR_SHMSIZE, // the log's index could not grow
		errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		p := labengine.Problemf(labengine.CodeDiskFull, "the disk that holds vethlab's state folder is full, so this could not be saved").
			WithHint("free some space there and do it again; nothing that was saved is lost")
		p.Err = err
		return p
	case code == sqlite3.SQLITE_IOERR || code == sqlite3.SQLITE_READONLY || code == sqlite3.SQLITE_CANTOPEN:
		p := labengine.Problemf(labengine.CodeDiskFull, "the state folder cannot be written to: %v", err).
			WithHint("see that its disk works, is mounted read-write and belongs to the user that runs vethlab")
		p.Err = err
		return p
	}
	return err
}
