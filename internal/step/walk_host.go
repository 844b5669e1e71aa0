package step

// Kind implements Step.
func (*CgroupCreate) Kind() Kind { return KindCgroupCreate }

func (c *CgroupCreate) walk(w walker) {
	w.str("path", &c.Path)
}

// Kind implements Step.
func (*CgroupLimits) Kind() Kind { return KindCgroupLimits }

func (*CgroupLimits) walk(walker) {}

// Kind implements Step.
func (*CgroupJoin) Kind() Kind { return KindCgroupJoin }

func (c *CgroupJoin) walk(w walker) {
	w.word("phase", &c.Phase, phaseName)
	w.str("sub", &c.Sub)
}

// Kind implements Step.
func (*CgroupDelegate) Kind() Kind { return KindCgroupDelegate }

func (c *CgroupDelegate) walk(w walker) {
	w.u32("uid", &c.UID)
	w.str("sub", &c.Sub)
}

// Kind implements Step.
func (*Spawn) Kind() Kind { return KindSpawn }

func (s *Spawn) walk(w walker) {
	w.bits("clone", &s.Clone, nsName)
	w.flag("intoCgroup", &s.IntoCgroup)
	w.flag("door", &s.Door)
	walkJoins(w, &s.Joins)
	w.bits("unshare", &s.Unshare, nsName)
	w.str("timeOffsets", &s.TimeOffsets)
	w.flag("fork", &s.Fork)
	w.word("mapHow", &s.MapHow, mapHowName)
	walkIDMap(w, "uidMap", &s.UIDMap)
	walkIDMap(w, "gidMap", &s.GIDMap)
	w.flag("denySetgroup", &s.DenySetgroup)
	w.flag("become", &s.Become)
	w.u32("uid", &s.UID)
	w.u32("gid", &s.GID)
	w.flag("nonDumpable", &s.NonDumpable)
}

// Kind implements Step.
func (*Await) Kind() Kind { return KindAwait }

func (a *Await) walk(w walker) {
	w.str("name", &a.Name)
}

// Kind implements Step.
func (*Release) Kind() Kind { return KindRelease }

func (r *Release) walk(w walker) {
	w.str("name", &r.Name)
}

// Kind implements Step.
func (*Rlimit) Kind() Kind { return KindRlimit }

func (r *Rlimit) walk(w walker) {
	w.str("name", &r.Name)
	w.u32("resource", &r.Resource)
	w.u64("soft", &r.Soft)
	w.u64("hard", &r.Hard)
}

// Kind implements Step.
func (*OOMScore) Kind() Kind { return KindOOMScore }

func (o *OOMScore) walk(w walker) {
	w.i64("value", &o.Value)
}

// Kind implements Step.
func (*NetDevice) Kind() Kind { return KindNetDevice }

func (n *NetDevice) walk(w walker) {
	w.str("host", &n.Host)
	w.str("name", &n.Name)
}

// Kind implements Step.
func (*HostHook) Kind() Kind { return KindHostHook }

func (h *HostHook) walk(w walker) {
	w.str("name", &h.Name)
	w.str("path", &h.Path)
	w.strs("args", &h.Args)
	w.strs("env", &h.Env)
	w.flag("envSet", &h.EnvSet)
	w.u64("timeoutMs", &h.TimeoutMS)
}

// Kind implements Step.
func (*IntelRdt) Kind() Kind { return KindIntelRdt }

func (i *IntelRdt) walk(w walker) {
	w.str("clos", &i.CLOS)
}

func walkJoins(w walker, v *[]Join) {
	w.list("joins", len(*v), func(n int) { *v = make([]Join, n) }, func(i int, w walker) {
		j := &(*v)[i]
		w.bits("types", &j.Types, nsName)
		w.str("path", &j.Path)
	})
}

func walkIDMap(w walker, name string, v *[]IDMap) {
	w.list(name, len(*v), func(n int) { *v = make([]IDMap, n) }, func(i int, w walker) {
		m := &(*v)[i]
		w.u32("container", &m.Container)
		w.u32("host", &m.Host)
		w.u32("size", &m.Size)
	})
}
