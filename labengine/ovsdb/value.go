package ovsdb

import (
	"encoding/json"
	"errors"
)

// set is a value of a column that can have several, or none: what it has alone, or ["set", [...]], RFC 7047 §5.1.
type set[T any] []T

// UnmarshalJSON implements [json.Unmarshaler].
func (s *set[T]) UnmarshalJSON(data []byte) error {
	var tagged []json.RawMessage
	if json.Unmarshal(data, &tagged) == nil && len(tagged) == 2 && string(tagged[0]) == `"set"` {
		return json.Unmarshal(tagged[1], (*[]T)(s))
	}
	var one T
	if err := json.Unmarshal(data, &one); err != nil {
		return err
	}
	*s = set[T]{one}
	return nil
}

// uuid names a row: ["uuid", "…"].
type uuid string

// UnmarshalJSON implements [json.Unmarshaler].
func (u *uuid) UnmarshalJSON(data []byte) error {
	var tagged [2]string
	if err := json.Unmarshal(data, &tagged); err != nil {
		return err
	}
	if tagged[0] != "uuid" {
		return errors.New("a row is named by its UUID")
	}
	*u = uuid(tagged[1])
	return nil
}
