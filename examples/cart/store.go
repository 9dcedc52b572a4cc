package main

import (
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/proto"
)

// folder keeps carts, each in a file. It stands for a database; a folder serves the members of one machine only.
type folder string

func (f folder) file(id string) string { return filepath.Join(string(f), url.PathEscape(id)+".cart") }

// load reads a cart; one that was never saved is empty.
func (f folder) load(id string) (*Saved, error) {
	saved := &Saved{Contents: new(Contents)}
	data, err := os.ReadFile(f.file(id))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return saved, nil
	case err != nil:
		return nil, err
	}
	return saved, proto.Unmarshal(data, saved)
}

// save replaces the file of a cart as a whole: who reads it finds the old one or the new one.
func (f folder) save(id string, saved *Saved) error {
	data, err := proto.Marshal(saved)
	if err != nil {
		return err
	}
	fresh := f.file(id) + ".new"
	if err := os.WriteFile(fresh, data, 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, f.file(id))
}
