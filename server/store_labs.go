package server

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"vethlab/labengine"
)

// checkpointEvery is how many changes are replayed at most when a lab is opened.
const checkpointEvery = 200

// historyLength is how many changes of a lab a room holds, for undo and the history list, as the journal does.
const historyLength = 2000

// LabSummary is a lab as a list shows it.
type LabSummary struct {
	ID      labengine.ID       `json:"id"`
	Name    string             `json:"name"`
	State   labengine.State    `json:"state"`
	Problem *labengine.Problem `json:"problem,omitempty"`
	Seq     int64              `json:"seq"`     // of the newest change
	Created int64              `json:"created"` // ms since 1970
	Updated int64              `json:"updated"` // ms since 1970
}

// savedLab is a lab as it was read from disk.
type savedLab struct {
	LabSummary
	source     []byte
	since      int64 // ms since 1970
	journal    *labengine.Journal
	checkpoint int64 // the change as of which the lab is saved whole
}

func noSuchLab(id labengine.ID) error {
	return labengine.Problemf(labengine.CodeGone, "there is no lab %q", id).
		WithHint("it may have been deleted; your labs are listed on the first page")
}

func nowMillis() int64 { return time.Now().UnixMilli() }

func createLab(id labengine.ID, lab labengine.Lab, source []byte) func(*sql.Tx) error {
	return func(tx *sql.Tx) error {
		data, err := json.Marshal(lab)
		if err != nil {
			return err
		}
		now := nowMillis()
		if source == nil {
			source = []byte{} // nil would be NULL
		}
		_, err = tx.Exec(`INSERT INTO labs (id, name, source, checkpoint, checkpoint_seq, seq, state, since, created, updated)
			VALUES (?, ?, ?, ?, 0, 0, ?, ?, ?, ?)`, id, lab.Name, source, data, labengine.Stopped, now, now, now)
		return err
	}
}

func deleteLab(id labengine.ID) func(*sql.Tx) error {
	return func(tx *sql.Tx) error {
		_, err := tx.Exec(`DELETE FROM labs WHERE id = ?`, id)
		return err
	}
}

// appendChange adds the change that follows the newest one on disk. Any other number is refused: a change is never on
// disk without those before it.
func appendChange(id labengine.ID, name string, c labengine.Change) func(*sql.Tx) error {
	return func(tx *sql.Tx) error {
		data, err := json.Marshal(c)
		if err != nil {
			return err
		}
		result, err := tx.Exec(`UPDATE labs SET seq = ?, name = ?, updated = ? WHERE id = ? AND seq = ?`,
			c.Seq, name, c.At.UnixMilli(), id, c.Seq-1)
		if err != nil {
			return err
		}
		if rows, err := result.RowsAffected(); err != nil || rows != 1 {
			return errors.Join(err, fmt.Errorf("change %d of lab %s does not follow the one on disk", c.Seq, id))
		}
		_, err = tx.Exec(`INSERT INTO changes (lab, seq, json) VALUES (?, ?, ?)`, id, c.Seq, data)
		return err
	}
}

// adoptChanges saves a lab whole as of a change, with the changes up to that one, whatever was on disk before: what its lab
// process says holds. Done twice it is as if done once.
func adoptChanges(id labengine.ID, lab labengine.Lab, seq int64, changes []labengine.Change) func(*sql.Tx) error {
	changes = slices.Clone(changes)
	whole := saveCheckpoint(id, lab, seq)
	return func(tx *sql.Tx) error {
		for _, c := range changes {
			data, err := json.Marshal(c)
			if err != nil {
				return err
			}
			if _, err := tx.Exec(`INSERT OR REPLACE INTO changes (lab, seq, json) VALUES (?, ?, ?)`, id, c.Seq, data); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(`UPDATE labs SET seq = ?, updated = ? WHERE id = ?`, seq, nowMillis(), id); err != nil {
			return err
		}
		if _, err := tx.Exec(`DELETE FROM changes WHERE lab = ? AND seq > ?`, id, seq); err != nil {
			return err
		}
		return whole(tx)
	}
}

// saveCheckpoint saves the lab whole as of a change, which is then the newest.
func saveCheckpoint(id labengine.ID, lab labengine.Lab, seq int64) func(*sql.Tx) error {
	lab = lab.Clone()
	return func(tx *sql.Tx) error {
		data, err := json.Marshal(lab)
		if err != nil {
			return err
		}
		_, err = tx.Exec(`UPDATE labs SET checkpoint = ?, checkpoint_seq = ?, seq = max(seq, ?), name = ? WHERE id = ?`,
			data, seq, seq, lab.Name, id)
		return err
	}
}

func saveSource(id labengine.ID, source []byte) func(*sql.Tx) error {
	return func(tx *sql.Tx) error {
		_, err := tx.Exec(`UPDATE labs SET source = ? WHERE id = ?`, source, id)
		return err
	}
}

func saveState(id labengine.ID, status labengine.Status) func(*sql.Tx) error {
	return func(tx *sql.Tx) error {
		var problem any // NULL
		if status.Problem != nil {
			data, err := json.Marshal(status.Problem)
			if err != nil {
				return err
			}
			problem = data
		}
		_, err := tx.Exec(`UPDATE labs SET state = ?, since = ?, problem = ? WHERE id = ?`,
			status.State, status.Since, problem, id)
		return err
	}
}

// listLabs lists all labs, the newest change first.
func (s *store) listLabs(ctx context.Context) ([]LabSummary, error) {
	rows, err := s.reads.QueryContext(ctx, `SELECT id, name, state, problem, seq, created, updated FROM labs
		ORDER BY updated DESC, id`)
	if err != nil {
		return nil, diskError(err)
	}
	defer rows.Close()
	labs := []LabSummary{}
	for rows.Next() {
		var l LabSummary
		var problem []byte
		if err := rows.Scan(&l.ID, &l.Name, &l.State, &problem, &l.Seq, &l.Created, &l.Updated); err != nil {
			return nil, err
		}
		l.Problem = decodeProblem(problem)
		labs = append(labs, l)
	}
	return labs, rows.Err()
}

func decodeProblem(data []byte) *labengine.Problem {
	var p labengine.Problem
	if len(data) == 0 || json.Unmarshal(data, &p) != nil {
		return nil
	}
	return &p
}

// loadLab reads a lab: its checkpoint, with the changes since then replayed. The problem is "gone".
func (s *store) loadLab(ctx context.Context, id labengine.ID) (*savedLab, error) {
	tx, err := s.reads.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}) // one view of both tables
	if err != nil {
		return nil, diskError(err)
	}
	defer tx.Rollback()
	l := savedLab{LabSummary: LabSummary{ID: id}}
	var problem, checkpoint []byte
	err = tx.QueryRowContext(ctx, `SELECT name, source, checkpoint, checkpoint_seq, seq, state, since, problem, created, updated
		FROM labs WHERE id = ?`, id).
		Scan(&l.Name, &l.source, &checkpoint, &l.checkpoint, &l.Seq, &l.State, &l.since, &problem, &l.Created, &l.Updated)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, noSuchLab(id)
	}
	if err != nil {
		return nil, diskError(err)
	}
	l.Problem = decodeProblem(problem)
	var lab labengine.Lab
	if err := json.Unmarshal(checkpoint, &lab); err != nil {
		return nil, fmt.Errorf("lab %s on disk: %w", id, err)
	}
	changes, err := loadChanges(ctx, tx, id, min(l.checkpoint, l.Seq-historyLength))
	if err != nil {
		return nil, err
	}
	l.journal = replay(lab, l.checkpoint, changes)
	if l.journal.Seq != l.Seq {
		return nil, fmt.Errorf("lab %s on disk: its newest change is %d, and its changes end at %d", id, l.Seq, l.journal.Seq)
	}
	return &l, nil
}

func loadChanges(ctx context.Context, tx *sql.Tx, id labengine.ID, after int64) ([]labengine.Change, error) {
	rows, err := tx.QueryContext(ctx, `SELECT json FROM changes WHERE lab = ? AND seq > ? ORDER BY seq`, id, after)
	if err != nil {
		return nil, diskError(err)
	}
	defer rows.Close()
	var changes []labengine.Change
	for rows.Next() {
		var data []byte
		if err := rows.Scan(&data); err != nil {
			return nil, err
		}
		var c labengine.Change
		if err := json.Unmarshal(data, &c); err != nil {
			return nil, fmt.Errorf("a change of lab %s on disk: %w", id, err)
		}
		changes = append(changes, c)
	}
	return changes, rows.Err()
}

// replay is the journal of a lab saved as of a change, with the changes around it. Those up to the checkpoint are
// replayed for the history alone: what each undid, and which ops have been carried out.
func replay(lab labengine.Lab, checkpoint int64, changes []labengine.Change) *labengine.Journal {
	j := labengine.NewJournal(labengine.NewLab(lab.Name), 0, nil)
	at := 0
	for ; at < len(changes) && changes[at].Seq <= checkpoint; at++ {
		j.Replay(changes[at])
	}
	j.Lab, j.Seq = lab, checkpoint
	for _, c := range changes[at:] {
		j.Replay(c)
	}
	return j
}
