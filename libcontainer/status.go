package libcontainer

import (
	"errors"
	"time"

	"tare/internal/state"
)

// Status is a container's place in its lifecycle (runtime.md, State).
type Status string

// The statuses. Paused is no status of the specification but one that engines know.
const (
	Creating Status = "creating"
	Created  Status = "created"
	Running  Status = "running"
	Paused   Status = "paused"
	Stopped  Status = "stopped"
)

// State is what `tare state` prints.
type State struct {
	OCIVersion  string            `json:"ociVersion"`
	ID          string            `json:"id"`
	Pid         int               `json:"pid"` // 0 when stopped
	Status      Status            `json:"status"`
	Bundle      string            `json:"bundle"`
	Rootfs      string            `json:"rootfs"`
	Created     time.Time         `json:"created"` // UTC
	Annotations map[string]string `json:"annotations,omitempty"`
	Owner       string            `json:"owner"` // user name, or #uid
}

// ExitStatus is how a process ended.
type ExitStatus struct {
	Code   int // exit code; 128+Signal when a signal ended it
	Signal int // 0 when none did
}

// Errors that callers branch on; they are wrapped with the container's id.
var (
	ErrNotFound = state.ErrNotFound
	ErrExists   = state.ErrExists
	ErrID       = state.ErrID
	ErrStatus   = errors.New("the container is in the wrong state") // errors.As *StatusError has the details
)

// StatusError says that an operation does not fit the container's status.
type StatusError struct {
	ID     string
	Status Status
	Msg    string // the sentence that engines know: "container not running"
}

func (e *StatusError) Error() string { return e.Msg }

// Is makes errors.Is(err, ErrStatus) true.
func (e *StatusError) Is(target error) bool { return target == ErrStatus }
