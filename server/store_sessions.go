package server

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"time"
)

const (
	loginTokenLife = 15 * time.Minute
	sessionLife    = 30 * 24 * time.Hour
)

// newToken makes a secret of 256 random bits in base64url, and the hash under which it is kept.
func newToken() (token string, hash []byte) {
	secret := make([]byte, 32)
	rand.Read(secret) // never fails; crypto/rand
	token = base64.RawURLEncoding.EncodeToString(secret)
	return token, hashToken(token)
}

func hashToken(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// newAuthor is a name for who signs in: short, stable for the session, and nobody's in particular.
func newAuthor() string {
	var b [3]byte
	rand.Read(b[:])
	return "s-" + hex.EncodeToString(b[:])
}

// mintLoginToken makes a token that signs in once, within loginTokenLife.
func (s *store) mintLoginToken(ctx context.Context) (string, error) {
	token, hash := newToken()
	err := s.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.Exec(`DELETE FROM login_tokens WHERE expires <= ?`, nowMillis()); err != nil {
			return err
		}
		_, err := tx.Exec(`INSERT INTO login_tokens (hash, expires) VALUES (?, ?)`,
			hash, time.Now().Add(loginTokenLife).UnixMilli())
		return err
	})
	return token, err
}

// errBadLogin says that a login token is unknown, used or expired.
var errBadLogin = errors.New("the login token is unknown, used or expired")

// redeemLoginToken makes a session of a login token, in one transaction: a token is used only where a session came of
// it. The error is errBadLogin where the token is not good.
func (s *store) redeemLoginToken(ctx context.Context, token string) (session string, err error) {
	session, hash := newToken()
	used := false
	err = s.write(ctx, func(tx *sql.Tx) error {
		used = false
		result, err := tx.Exec(`DELETE FROM login_tokens WHERE hash = ? AND expires > ?`, hashToken(token), nowMillis())
		if err != nil {
			return err
		}
		rows, err := result.RowsAffected()
		if err != nil || rows == 0 {
			return err
		}
		used = true
		return addSession(tx, hash)
	})
	if err == nil && !used {
		err = errBadLogin
	}
	return session, err
}

// newSession makes a session for someone who has shown the bearer token.
func (s *store) newSession(ctx context.Context) (session string, err error) {
	session, hash := newToken()
	return session, s.write(ctx, func(tx *sql.Tx) error { return addSession(tx, hash) })
}

func addSession(tx *sql.Tx, hash []byte) error {
	if _, err := tx.Exec(`DELETE FROM sessions WHERE expires <= ?`, nowMillis()); err != nil {
		return err
	}
	_, err := tx.Exec(`INSERT INTO sessions (hash, author, created, expires) VALUES (?, ?, ?, ?)`,
		hash, newAuthor(), nowMillis(), time.Now().Add(sessionLife).UnixMilli())
	return err
}

// sessionAuthor is the author whose session this is; ok is false where there is no such session, or no longer.
func (s *store) sessionAuthor(ctx context.Context, session string) (author string, ok bool, err error) {
	err = s.reads.QueryRowContext(ctx, `SELECT author FROM sessions WHERE hash = ? AND expires > ?`,
		hashToken(session), nowMillis()).Scan(&author)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return author, err == nil, diskError(err)
}
