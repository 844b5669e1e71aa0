// Package cgroups places processes in Linux control groups, limits them and
// reads what they use: on cgroup v1, v2, on the mixture of both, by files or
// through systemd.
//
//	layout, err := cgroups.Detect()
//	place, err := cgroups.Resolve(cgroups.Request{CgroupsPath: "/demo/one", ID: "one", Mode: layout.Mode})
//	m, err := manager.New(layout.Config(place))
//	err = m.Create(ctx, cgroups.CreateOptions{Resources: resources})
//	_, err = m.Set(ctx, resources)
//	err = m.Join(pid, cgroups.All)
//	stats, err := m.Stat()
//	...
//	err = m.Kill(ctx)
//	err = m.Destroy(ctx)
//
// A Manager is fully described by its [Config], a small value that marshals to
// JSON and exists before the first directory does: keep it, and any later
// process can kill, read or remove what an earlier one made or half made.
//
// The package and its managers keep no state of their own between calls,
// start no goroutine that outlives a call, log nothing, and return warnings as
// values. Limits are the types of the OCI runtime-spec, and an error about one
// begins with its place in config.json, such as linux.resources.memory.limit.
package cgroups
