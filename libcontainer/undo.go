package libcontainer

// undo is a stack of what must be taken back when a create fails, run from the last to the first.
type undo struct{ actions []func() }

func (u *undo) push(f func()) { u.actions = append(u.actions, f) }

// run takes everything back.
func (u *undo) run() {
	for i := len(u.actions) - 1; i >= 0; i-- {
		u.actions[i]()
	}
	u.actions = nil
}

// release keeps everything.
func (u *undo) release() { u.actions = nil }
