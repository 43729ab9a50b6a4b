package labengine

import "time"

// Origin says where a change came from.
type Origin string

// The origins of a change.
const (
	FromCanvas   Origin = "canvas"
	FromTerminal Origin = "terminal" // the kernel changed by itself: a command in a terminal, a process that ended
	FromUndo     Origin = "undo"
	FromRedo     Origin = "redo"
	FromRestore  Origin = "restore" // the lab as it was at an earlier change
	FromAPI      Origin = "api"
)

// Change is something that happened to a lab: the journal's entry, the message that tells of it, and the unit of undo.
type Change struct {
	Seq      int64     `json:"seq"` // numbered from 1 in each lab, without gaps
	At       time.Time `json:"at"`
	Op       ID        `json:"op,omitempty"`     // the op that it carried out
	Author   string    `json:"author,omitempty"` // whose it is; "" is nobody in particular
	Origin   Origin    `json:"origin"`
	Sentence string    `json:"sentence"` // "Cable red to blue"
	Commands []Command `json:"commands,omitempty"`
	Patch    Patch     `json:"patch"`
	Before   Patch     `json:"before"`          // what the patched things were
	Takes    int64     `json:"takes,omitempty"` // the change that an undo took back or a redo brought again
	Joins    bool      `json:"joins,omitempty"` // belongs to the entry before it: undone with it
	Undone   bool      `json:"undone,omitempty"`
}

// Command is a shell command that did something, or would have done what was seen to happen.
type Command struct {
	Machine string `json:"machine"`           // in whose shell it runs
	Line    string `json:"line"`              // as one types it there
	Derived bool   `json:"derived,omitempty"` // not typed or run: worked out from what changed in the kernel
}
