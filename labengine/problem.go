package labengine

import (
	"fmt"
	"strings"
)

// Code is the stable name of what went wrong, for pages and scripts to branch on.
type Code string

// The codes that a [Problem] can have.
const (
	CodeBadName         Code = "bad-name"
	CodeBadAddress      Code = "bad-address"
	CodeBadValue        Code = "bad-value"
	CodeExists          Code = "exists"
	CodeNoSuchNode      Code = "no-such-node"
	CodeNoSuchInterface Code = "no-such-interface"
	CodeNoSuchCable     Code = "no-such-cable"
	CodeAmbiguous       Code = "ambiguous"
	CodeBadFile         Code = "bad-file"
	CodeBadRequest      Code = "bad-request"
	CodeNotRunning      Code = "not-running"
	CodeNothingToUndo   Code = "nothing-to-undo"
	CodeRefused         Code = "refused" // by the kernel; Errno says how
	CodeNotSupported    Code = "not-supported"
	CodeGone            Code = "gone"
	CodeUnauthorized    Code = "unauthorized"
	CodeForbidden       Code = "forbidden"
	CodeTooLarge        Code = "too-large"
	CodeDiskFull        Code = "disk-full" // the state folder cannot be written to
	CodeInternal        Code = "internal"
)

// Problem is an error as people read it: what was refused, in whose words, and what to do about it.
type Problem struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`           // a clause, no final period
	Hint    string `json:"hint,omitempty"`    // what the user can do about it
	On      ID     `json:"on,omitempty"`      // the node, interface or cable that it is about
	Field   string `json:"field,omitempty"`   // which of its values: "name", "address", "mtu", "mac"
	Command string `json:"command,omitempty"` // the step's shell command, where a step was refused
	Errno   string `json:"errno,omitempty"`   // as errno(3) names it: "EEXIST"
	Err     error  `json:"-"`                 // the cause, for errors.Is
}

// Problemf makes a problem with a formatted message.
func Problemf(code Code, format string, args ...any) *Problem {
	return &Problem{Code: code, Message: fmt.Sprintf(format, args...)}
}

// WithHint adds what the user can do about it.
func (p *Problem) WithHint(hint string) *Problem { p.Hint = hint; return p }

// About adds the object, and the field of it, that the problem is about.
func (p *Problem) About(on ID, field string) *Problem { p.On, p.Field = on, field; return p }

// Error is the message, with the command that was refused before it and the hint behind it.
func (p *Problem) Error() string {
	text := p.Message
	if p.Command != "" {
		text = "`" + p.Command + "`: " + text
	}
	if p.Errno != "" {
		text += " (" + p.Errno + ")"
	}
	if p.Hint != "" && strings.Contains(text, "\n") {
		text += "\n" // what it shows ends there
	} else if p.Hint != "" {
		text += "; "
	}
	return text + p.Hint
}

// Unwrap is the cause.
func (p *Problem) Unwrap() error { return p.Err }

// Is compares by code, so that errors.Is(err, &Problem{Code: CodeExists}) asks for any problem with that code.
func (p *Problem) Is(target error) bool {
	other, ok := target.(*Problem)
	return ok && other.Code == p.Code && other.Message == ""
}

// Nearest is the candidate that a mistyped word was probably meant to be, else "": two edits away, or one if the word is
// of four letters or fewer. Two letters the wrong way round are one edit.
func Nearest(word string, candidates []string) string {
	allowed := 2
	if len(word) <= 4 {
		allowed = 1
	}
	best, least := "", allowed+1
	for _, c := range candidates {
		if d := editDistance(word, c); d < least && d < len(word) {
			best, least = c, d
		}
	}
	return best
}

// editDistance is the optimal string alignment distance, in bytes: Levenshtein's, and swaps of neighbours.
func editDistance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, before
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
