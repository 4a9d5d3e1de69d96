package seal

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestSealedOpensOnlyWithItsKeyAndContext(t *testing.T) {
	t.Parallel()
	key := NewKey()
	sealed := Seal(key, []byte("+8613812345678"), "member/1")
	if bytes.Contains(sealed, []byte("13812345678")) {
		t.Fatal("the number is readable")
	}
	if plain, err := Open(key, sealed, "member/1"); err != nil || string(plain) != "+8613812345678" {
		t.Fatalf("%q, %v", plain, err)
	}
	for name, open := range map[string]func() ([]byte, error){
		"other key":     func() ([]byte, error) { return Open(NewKey(), sealed, "member/1") },
		"other context": func() ([]byte, error) { return Open(key, sealed, "member/2") },
		"changed byte": func() ([]byte, error) {
			changed := bytes.Clone(sealed)
			changed[len(changed)-1] ^= 1
			return Open(key, changed, "member/1")
		},
		"cut short": func() ([]byte, error) { return Open(key, sealed[:5], "member/1") },
	} {
		if _, err := open(); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

func TestLoadKeepsTheKey(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys", "master.key")
	first, err := Load("", file)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Load("", file)
	if err != nil {
		t.Fatal(err)
	}
	if first.BlindIndex("+8613812345678") != again.BlindIndex("+8613812345678") {
		t.Error("a restart changes the blind index")
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	given, err := Load(string(text), "")
	if err != nil || given.BlindIndex("x") != first.BlindIndex("x") {
		t.Errorf("the key given as text differs: %v", err)
	}
	if _, err := Load("bm90IDMyIGJ5dGVz", ""); err == nil {
		t.Error("a short key was taken")
	}
	if bytes.Equal(first.Key("jwt"), first.Key("phone-index")) {
		t.Error("two purposes share a key")
	}
}
