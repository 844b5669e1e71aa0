// Package decode turns JSON into the types of runtime-spec without reflection.
//
// The first use of encoding/json on specs.Spec in a process spends half a
// millisecond on learning the types; a container start is too short for that.
// Here one function per type, written by the generator in ../gen, drives a
// small pull reader. It accepts and gives what encoding/json does, invalid
// UTF-8 (replaced) and keys in another case (taken if none fits exactly)
// included, with these differences, all of them wanted:
//
//   - Of a key given twice the last value counts alone; encoding/json mixes
//     the members of both.
//   - The sections of other platforms are skipped unread, so that a wrong type
//     in them is no error.
//   - Errors carry line, column and path.
//
// A differential fuzz test holds it to that.
package decode

//go:generate go run ../gen -o types.go
