package ctl

// OOMKills sums up oom_kill of memory.oom_control over a v1 cgroup and all
// below it. Those that are gone have none; before Linux 4.13 nothing has.
func OOMKills(dir string) (kills uint64, err error) {
	var buf []byte
	for todo := []string{dir}; len(todo) > 0; {
		d := todo[len(todo)-1]
		b, err := Read(d, "memory.oom_control", buf)
		if err != nil && !Gone(err) {
			return 0, err
		}
		if err == nil {
			n, _ := Pair(b, "oom_kill")
			kills, buf = kills+n, b
		}
		if todo, err = Children(todo[:len(todo)-1], d); err != nil {
			return 0, err
		}
	}
	return kills, nil
}
