-- +goose Up
CREATE TABLE labs (
	id             TEXT    NOT NULL PRIMARY KEY,
	name           TEXT    NOT NULL,
	source         BLOB    NOT NULL DEFAULT '', -- the file as its author wrote it: comments and order are kept in it
	checkpoint     BLOB    NOT NULL,            -- the lab as JSON, as of checkpoint_seq
	checkpoint_seq INTEGER NOT NULL,
	seq            INTEGER NOT NULL,            -- of the newest change
	state          TEXT    NOT NULL,
	since          INTEGER NOT NULL,            -- of the state, ms since 1970
	problem        BLOB,                        -- why the state is what it is, as JSON
	created        INTEGER NOT NULL,            -- ms since 1970
	updated        INTEGER NOT NULL
) STRICT;

CREATE TABLE changes (
	lab  TEXT    NOT NULL REFERENCES labs (id) ON DELETE CASCADE,
	seq  INTEGER NOT NULL,
	json BLOB    NOT NULL,
	PRIMARY KEY (lab, seq)
) STRICT, WITHOUT ROWID;

-- Tokens are kept as SHA-256 hashes: who reads this file can sign in with none of them.
CREATE TABLE sessions (
	hash    BLOB    NOT NULL PRIMARY KEY,
	author  TEXT    NOT NULL,
	created INTEGER NOT NULL,
	expires INTEGER NOT NULL -- ms since 1970
) STRICT;

CREATE TABLE login_tokens (
	hash    BLOB    NOT NULL PRIMARY KEY,
	expires INTEGER NOT NULL -- ms since 1970
) STRICT;

-- +goose Down
DROP TABLE login_tokens;
DROP TABLE sessions;
DROP TABLE changes;
DROP TABLE labs;
