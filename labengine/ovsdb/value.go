package ovsdb

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
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

// pairs is a column of keys and values: ["map", [[key, value], …]].
type pairs map[string]string

// UnmarshalJSON implements [json.Unmarshaler].
func (p *pairs) UnmarshalJSON(data []byte) error {
	var tagged [2]json.RawMessage
	var list [][2]string
	if err := json.Unmarshal(data, &tagged); err != nil {
		return err
	}
	if string(tagged[0]) != `"map"` {
		return errors.New("a map is tagged as one")
	}
	if err := json.Unmarshal(tagged[1], &list); err != nil {
		return err
	}
	*p = make(pairs, len(list))
	for _, pair := range list {
		(*p)[pair[0]] = pair[1]
	}
	return nil
}

// String is "key=42 remote_ip=10.0.0.2".
func (p pairs) String() string {
	var words []string
	for _, key := range slices.Sorted(maps.Keys(p)) {
		words = append(words, key+"="+p[key])
	}
	return strings.Join(words, " ")
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
