package step

// Kind implements Step.
func (*Barrier) Kind() Kind { return KindBarrier }

func (b *Barrier) walk(w walker) {
	w.str("name", &b.Name)
}

// Kind implements Step.
func (*Fallback) Kind() Kind { return KindFallback }

func (f *Fallback) walk(w walker) {
	w.steps("first", &f.First)
	w.u32s("on", &f.On)
	w.steps("else", &f.Else)
}

// Kind implements Step.
func (*Unshare) Kind() Kind { return KindUnshare }

func (u *Unshare) walk(w walker) {
	w.bits("flags", &u.Flags, nsName)
}

// Kind implements Step.
func (*Loopback) Kind() Kind { return KindLoopback }

func (*Loopback) walk(walker) {}

// Kind implements Step.
func (*Hostname) Kind() Kind { return KindHostname }

func (h *Hostname) walk(w walker) {
	w.str("name", &h.Name)
}

// Kind implements Step.
func (*Domainname) Kind() Kind { return KindDomainname }

func (d *Domainname) walk(w walker) {
	w.str("name", &d.Name)
}

// Kind implements Step.
func (*Setsid) Kind() Kind { return KindSetsid }

func (*Setsid) walk(walker) {}

// Kind implements Step.
func (*Keyring) Kind() Kind { return KindKeyring }

func (k *Keyring) walk(w walker) {
	w.str("name", &k.Name)
	w.str("label", &k.Label)
}

// Kind implements Step.
func (*Sysctl) Kind() Kind { return KindSysctl }

func (s *Sysctl) walk(w walker) {
	w.str("key", &s.Key)
	w.str("value", &s.Value)
}

// Kind implements Step.
func (*Hook) Kind() Kind { return KindHook }

func (h *Hook) walk(w walker) {
	w.str("name", &h.Name)
	w.str("path", &h.Path)
	w.strs("args", &h.Args)
	w.strs("env", &h.Env)
	w.str("dir", &h.Dir)
	w.u64("timeoutMs", &h.TimeoutMS)
	w.fd("stdout", &h.Stdout)
	w.fd("stderr", &h.Stderr)
	w.blob("stateHead", &h.StateHead)
	w.blob("stateTail", &h.StateTail)
}

// Kind implements Step.
func (*Scheduler) Kind() Kind { return KindScheduler }

func (s *Scheduler) walk(w walker) {
	w.u32("policy", &s.Policy)
	w.u64("flags", &s.Flags)
	w.i64("nice", &s.Nice)
	w.u32("priority", &s.Priority)
	w.u64("runtime", &s.Runtime)
	w.u64("deadline", &s.Deadline)
	w.u64("period", &s.Period)
}

// Kind implements Step.
func (*IOPriority) Kind() Kind { return KindIOPriority }

func (i *IOPriority) walk(w walker) {
	w.u32("value", &i.Value)
}

// Kind implements Step.
func (*MemoryPolicy) Kind() Kind { return KindMemoryPolicy }

func (m *MemoryPolicy) walk(w walker) {
	w.u32("mode", &m.Mode)
	w.blob("nodes", &m.Nodes)
	w.u64("maxNode", &m.MaxNode)
}

// Kind implements Step.
func (*Affinity) Kind() Kind { return KindAffinity }

func (a *Affinity) walk(w walker) {
	w.blob("mask", &a.Mask)
}

// Kind implements Step.
func (*Personality) Kind() Kind { return KindPersonality }

func (p *Personality) walk(w walker) {
	w.u32("persona", &p.Persona)
}

// Kind implements Step.
func (*Chdir) Kind() Kind { return KindChdir }

func (c *Chdir) walk(w walker) {
	w.str("dir", &c.Dir)
	w.flag("create", &c.Create)
	w.flag("retry", &c.Retry)
}

// Kind implements Step.
func (*ExecLabel) Kind() Kind { return KindExecLabel }

func (e *ExecLabel) walk(w walker) {
	w.str("lsm", &e.LSM)
	w.str("label", &e.Label)
}

// Kind implements Step.
func (*NoNewPrivs) Kind() Kind { return KindNoNewPrivs }

func (*NoNewPrivs) walk(walker) {}

// Kind implements Step.
func (*BoundingCaps) Kind() Kind { return KindBoundingCaps }

func (b *BoundingCaps) walk(w walker) {
	w.bits("keep", &b.Keep, capName)
}

// Kind implements Step.
func (*User) Kind() Kind { return KindUser }

func (u *User) walk(w walker) {
	w.u32("uid", &u.UID)
	w.u32("gid", &u.GID)
	w.u32s("groups", &u.Groups)
	w.flag("setGroups", &u.SetGroups)
	w.flag("groupsDenied", &u.GroupsDenied)
	w.octal("umask", &u.Umask)
	w.flag("chownStdio", &u.ChownStdio)
}

// Kind implements Step.
func (*Caps) Kind() Kind { return KindCaps }

func (c *Caps) walk(w walker) {
	w.bits("effective", &c.Effective, capName)
	w.bits("permitted", &c.Permitted, capName)
	w.bits("inheritable", &c.Inheritable, capName)
	w.bits("ambient", &c.Ambient, capName)
}

// Kind implements Step.
func (*FindExec) Kind() Kind { return KindFindExec }

func (f *FindExec) walk(w walker) {
	w.str("name", &f.Name)
	w.str("path", &f.Path)
}

// Kind implements Step.
func (*Seccomp) Kind() Kind { return KindSeccomp }

func (s *Seccomp) walk(w walker) {
	w.blob("filter", &s.Filter)
	w.u64("flags", &s.Flags)
	w.flag("notify", &s.Notify)
}

// Kind implements Step.
func (*WaitStart) Kind() Kind { return KindWaitStart }

func (s *WaitStart) walk(w walker) {
	w.fd("listener", &s.Listener)
}

// Kind implements Step.
func (*PlaceFDs) Kind() Kind { return KindPlaceFDs }

func (p *PlaceFDs) walk(w walker) {
	w.fds("fds", &p.FDs)
}

// Kind implements Step.
func (*Exec) Kind() Kind { return KindExec }

func (e *Exec) walk(w walker) {
	w.strs("args", &e.Args)
	w.strs("env", &e.Env)
	w.flag("home", &e.Home)
}

// Kind implements Step.
func (*SetPropagation) Kind() Kind { return KindSetPropagation }

func (s *SetPropagation) walk(w walker) {
	w.str("path", &s.Path)
	w.bits("flags", &s.Flags, msName)
}

// Kind implements Step.
func (*OpenRootfs) Kind() Kind { return KindOpenRootfs }

func (o *OpenRootfs) walk(w walker) {
	w.str("path", &o.Path)
	w.fd("tree", &o.Tree)
	w.bits("parent", &o.Parent, msName)
	w.flag("ephemeral", &o.Ephemeral)
	w.flag("userXattr", &o.UserXattr)
}

// Kind implements Step.
func (*Mount) Kind() Kind { return KindMount }

func (m *Mount) walk(w walker) {
	w.word("type", &m.Type, mountTypeName)
	w.str("source", &m.Source)
	w.str("target", &m.Target)
	w.str("fstype", &m.FSType)
	w.bits("set", &m.Set, msName)
	w.bits("clear", &m.Clear, msName)
	w.strs("data", &m.Data)
	w.str("label", &m.Label)
	w.bits("recSet", &m.RecSet, attrName)
	w.bits("recClr", &m.RecClr, attrName)
	w.u32s("propagation", &m.Propagation)
	w.bits("opts", &m.Opts, optName)
	w.fd("tree", &m.Tree)
	w.fd("idmap", &m.IDMap)
	w.flag("idmapRec", &m.IDMapRec)
}

// Kind implements Step.
func (*Unmount) Kind() Kind { return KindUnmount }

func (u *Unmount) walk(w walker) {
	w.str("target", &u.Target)
}

// Kind implements Step.
func (*Symlink) Kind() Kind { return KindSymlink }

func (s *Symlink) walk(w walker) {
	w.str("path", &s.Path)
	w.str("target", &s.Target)
	w.flag("replace", &s.Replace)
}

// Kind implements Step.
func (*Device) Kind() Kind { return KindDevice }

func (d *Device) walk(w walker) {
	w.str("path", &d.Path)
	w.word("type", &d.Type, deviceTypeName)
	w.u32("major", &d.Major)
	w.u32("minor", &d.Minor)
	w.octal("mode", &d.Mode)
	w.u32("uid", &d.UID)
	w.u32("gid", &d.GID)
	w.flag("bind", &d.Bind)
	w.str("source", &d.Source)
}

// Kind implements Step.
func (*Console) Kind() Kind { return KindConsole }

func (c *Console) walk(w walker) {
	w.u32("rows", &c.Rows)
	w.u32("cols", &c.Cols)
	w.flag("bindConsole", &c.BindConsole)
	w.u32("uid", &c.UID)
}

// Kind implements Step.
func (*MaskPath) Kind() Kind { return KindMaskPath }

func (m *MaskPath) walk(w walker) {
	w.str("path", &m.Path)
	w.str("label", &m.Label)
}

// Kind implements Step.
func (*ReadonlyPath) Kind() Kind { return KindReadonlyPath }

func (r *ReadonlyPath) walk(w walker) {
	w.str("path", &r.Path)
}

// Kind implements Step.
func (*ReadonlyRoot) Kind() Kind { return KindReadonlyRoot }

func (*ReadonlyRoot) walk(walker) {}

// Kind implements Step.
func (*PivotRoot) Kind() Kind { return KindPivotRoot }

func (*PivotRoot) walk(walker) {}

// Kind implements Step.
func (*MoveRoot) Kind() Kind { return KindMoveRoot }

func (*MoveRoot) walk(walker) {}
