package main

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// A database stays the one that is used, whatever folders and variables appear later:
// an empty one in its place would look as if everything had been lost.
func TestDataDir(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the folders differ elsewhere")
	}
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_DATA_HOME", "")
	t.Setenv("XDG_CONFIG_HOME", "")
	share, config, other := filepath.Join(home, ".local", "share", "seedcorn"), filepath.Join(home, ".config", "seedcorn"), filepath.Join(home, "data")
	want := func(dir, when string) {
		t.Helper()
		if got, err := dataDir(); err != nil || got != dir {
			t.Errorf("%s: %q, %v; want %q", when, got, err, dir)
		}
	}
	want(share, "in an empty home")
	for _, x := range []struct{ dir, when string }{{config, "a database of an older version"}, {share, "one in the folder for data"}} {
		if err := os.MkdirAll(x.dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(x.dir, databaseFile), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		want(x.dir, x.when)
	}
	t.Setenv("XDG_DATA_HOME", other)
	want(share, "a variable that was set since")
	t.Setenv("HOME", t.TempDir())
	want(filepath.Join(other, "seedcorn"), "a variable, and no database anywhere")
}

func TestWhereabouts(t *testing.T) {
	for location, want := range map[string]string{
		"sqlite:/data/seedcorn.db?mode=rwc":                  "SQLite at /data/seedcorn.db",
		"postgres://seedcorn:secret@db.internal:5432/corn":   "PostgreSQL at db.internal:5432/corn",
		"postgres:///corn?host=/run/postgresql&password=pss": "PostgreSQL at corn",
		"postgres://%zz": "PostgreSQL",
	} {
		if got := whereabouts(location); got != want {
			t.Errorf("%s: %q, want %q", location, got, want)
		}
	}
}
