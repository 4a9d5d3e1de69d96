package store

import (
	"context"
	"encoding/base64"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/ident"
	"scrm/gateway/kit/seal"
	"scrm/store/storeevent"
)

// Terminal is a POS terminal of a store. Its secret signs its requests.
type Terminal struct {
	ID     string
	Store  string
	Secret string
}

type terminalDoc struct {
	docdb.Doc `json:",inline"`
	Store     string `json:"store"`
	Sealed    []byte `json:"sealed"` // the secret, under the key for terminal secrets
}

// CreateTerminal makes a terminal with a new secret. fault.Exists with code "terminal_exists"; fault.NotFound with code
// "unknown_store".
func (s *Service) CreateTerminal(ctx context.Context, store, id string) (*Terminal, error) {
	if err := ident.Check("id", id); err != nil {
		return nil, err
	}
	return s.keepTerminal(ctx, store, id, func(ctx context.Context, tx docdb.Session) (*terminalDoc, error) {
		if _, err := need(ctx, tx, s.stores, store, errNoStore); err != nil {
			return nil, err
		}
		return &terminalDoc{Doc: docdb.Doc{ID: id}, Store: store}, vacant(ctx, tx, s.terminals, id, "terminal")
	})
}

// ReplaceSecret gives a terminal of a store a new secret in place of a lost one, which is void from then on.
func (s *Service) ReplaceSecret(ctx context.Context, store, id string) (*Terminal, error) {
	return s.keepTerminal(ctx, store, id, func(ctx context.Context, tx docdb.Session) (*terminalDoc, error) {
		doc, err := need(ctx, tx, s.terminals, id, errNoTerminal)
		if err == nil && doc.Store != store {
			err = errNoTerminal
		}
		return doc, err
	})
}

// keepTerminal stores the terminal that find makes or reads, with a new secret.
func (s *Service) keepTerminal(ctx context.Context, store, id string, find func(context.Context, docdb.Session) (*terminalDoc, error)) (*Terminal, error) {
	t := &Terminal{ID: id, Store: store, Secret: base64.RawURLEncoding.EncodeToString(seal.NewKey())}
	sealed := seal.Seal(s.keys.Key(terminalKey), []byte(t.Secret), id)
	err := s.change(ctx, func(ctx context.Context, tx docdb.Session) (storeevent.Changed, error) {
		doc, err := find(ctx, tx)
		if err != nil {
			return storeevent.Changed{}, err
		}
		doc.Sealed = sealed
		return storeevent.Changed{Terminals: []string{id}}, s.terminals.SaveMany(ctx, tx, []*terminalDoc{doc})
	})
	if err != nil {
		return nil, err
	}
	s.log.Info("a terminal has a new secret", "terminal", id, "store", store)
	return t, nil
}

const terminalKey = "terminal-secret"

// Terminal tells of a terminal, with its secret; fault.NotFound with code "unknown_terminal".
func (s *Service) Terminal(ctx context.Context, id string) (*Terminal, error) {
	return s.directory.terminals.get(ctx, id, func(ctx context.Context, id string) (*Terminal, error) {
		doc, err := need(ctx, s.db, s.terminals, id, errNoTerminal)
		if err != nil {
			return nil, err
		}
		secret, err := seal.Open(s.keys.Key(terminalKey), doc.Sealed, id)
		if err != nil {
			return nil, err
		}
		return &Terminal{ID: id, Store: doc.Store, Secret: string(secret)}, nil
	})
}
