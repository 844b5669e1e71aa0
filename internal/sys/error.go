// Package sys is the only home of raw system calls and of package unsafe in tare: thin wrappers that
// name the call and its object in every error and that repeat a call that a signal interrupted, and
// the type FD, which owns a descriptor.
//
// It is linked into the init stage's early start, so it imports neither os, nor fmt, nor
// golang.org/x/sys/unix. The wrappers decide nothing. Parameters of type int named fd or dir borrow a
// descriptor; a returned *FD belongs to the caller and is close-on-exec.
//
// Calls that change a thread (setns, capset, prctl, …) change the calling one only: call them on a
// goroutine that has locked its thread.
package sys

import "syscall"

// Error is what a wrapper returns: which operation on which object failed, and how. It is the shape
// of the init stage's own errors too, which may have a Note instead of an errno.
type Error struct {
	Op     string        // system call or operation: "mount_setattr"
	Object string        // what it was applied to, "" when the operation says it all
	Errno  syscall.Errno // 0: the kernel had no part in it
	Note   string        // further fact or remedy, without a full stop
}

// Error gives `op "object": errno text (note)`. Without Op the Note is the whole sentence, and Errno
// only its class.
func (e *Error) Error() string {
	if e.Op == "" {
		return e.Note
	}
	s := e.Op
	if e.Object != "" {
		s += ` "` + e.Object + `"`
	}
	switch {
	case e.Errno == 0:
		return s + ": " + e.Note
	case e.Note == "":
		return s + ": " + e.Errno.Error()
	}
	return s + ": " + e.Errno.Error() + " (" + e.Note + ")"
}

// Unwrap gives the errno, nil when there is none.
func (e *Error) Unwrap() error {
	if e.Errno == 0 {
		return nil
	}
	return e.Errno
}

// fail makes the error of a call, nil for errno 0.
func fail(op, object string, errno syscall.Errno) error {
	if errno == 0 {
		return nil
	}
	return &Error{Op: op, Object: object, Errno: errno}
}

// wrap is fail for an error of package syscall.
func wrap(op, object string, err error) error {
	if err == nil {
		return nil
	}
	if errno, ok := err.(syscall.Errno); ok {
		return fail(op, object, errno)
	}
	return &Error{Op: op, Object: object, Note: err.Error()}
}

// ErrnoOf gives the errno in err's chain, 0 when there is none.
func ErrnoOf(err error) syscall.Errno {
	for err != nil {
		if errno, ok := err.(syscall.Errno); ok {
			return errno
		}
		u, ok := err.(interface{ Unwrap() error })
		if !ok {
			return 0
		}
		err = u.Unwrap()
	}
	return 0
}

// retry repeats f for as long as a signal interrupts it.
func retry(f func() error) error {
	for {
		if err := f(); err != syscall.EINTR {
			return err
		}
	}
}

// On gives err with object as what it was applied to, when it is an *Error that names none.
func On(err error, object string) error {
	if e, ok := err.(*Error); ok && e.Object == "" {
		e.Object = object
	}
	return err
}
