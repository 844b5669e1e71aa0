package main

import (
	"bytes"
	"os"
	"testing"
)

// The generated file has to be what the pinned runtime-spec gives.
func TestGeneratedIsCurrent(t *testing.T) {
	want, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../decode/types.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("decode/types.go is not current: run go generate ./internal/spec/decode")
	}
}
