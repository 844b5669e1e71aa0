package integration

import (
	"fmt"
	"slices"
	"strings"
)

// meaning says what an engine makes of the text of an error: the exit code of Docker's and of Podman's
// client, and whether containerd's shim takes it for a process that is gone. "" is no error.
func meaning(text string) string {
	if strings.TrimSpace(text) == "" {
		return ""
	}
	has := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(text, p) })
	}
	lower := strings.ToLower(text)
	docker, podman, shim := 125, 125, "error"
	switch {
	case has("executable file not found", "no such file or directory", "not a directory"):
		docker = 127
	case has("permission denied", "is a directory"):
		docker = 126
	}
	switch {
	case strings.Contains(lower, "operation not permitted"), strings.Contains(lower, "permission denied"):
		podman = 126
	case strings.Contains(lower, "executable file not found"), strings.Contains(lower, "no such file or directory"),
		strings.Contains(lower, "open executable"):
		podman = 127
	}
	switch {
	case has("container not running", "os: process already finished", "does not exist"), strings.Contains(lower, "no such process"):
		shim = "gone"
	}
	said := fmt.Sprintf("docker %d, podman %d, shim: %s", docker, podman, shim)
	// Texts that people and programs know.
	for _, known := range []string{"container with given ID already exists", "container not running", "does not exist",
		"cannot start an already running container", "cannot start a container that has stopped", "cannot exec in a stopped container",
		"cannot exec in a paused container (use --ignore-paused to override)", "container not paused", "container still running",
		"is not stopped: running", "unknown signal", "executable file not found in $PATH"} {
		if has(known) {
			said += ", says: " + known
		}
	}
	return said
}

// differences lists what in got is not as in want. What got has besides is allowed in objects of output
// only: engines skip what they do not know.
func differences(want, got replayAnswer) []string {
	var out []string
	differ := func(what string, w, g any) { out = append(out, fmt.Sprintf("%s: %v, want %v", what, g, w)) }
	if got.Call != want.Call {
		differ("call", want.Call, got.Call)
	}
	if got.Status != want.Status {
		differ("status", want.Status, got.Status)
	}
	if !asGood(want.Stderr, got.Stderr) {
		differ("stderr", want.Stderr, got.Stderr)
	}
	if !slices.EqualFunc(want.Log, got.Log, func(w, g logged) bool { return w.Level == g.Level && asGood(w.Means, g.Means) }) {
		differ("log", want.Log, got.Log)
	}
	for what, w := range want.Seen {
		if got.Seen[what] != w {
			differ(what, w, got.Seen[what])
		}
	}
	return append(out, treeDifferences("out", want.Out, got.Out)...)
}

// asGood compares what errors mean. A folder that is to be run is 126 for Docker, and since tare also says
// that permission is denied, for Podman too, as Podman promises; runc's text makes 125 of it there.
func asGood(want, got string) bool {
	const folder = "docker 126, podman 125, shim: error"
	return got == want || want == folder && got == strings.Replace(folder, "podman 125", "podman 126", 1)
}

func treeDifferences(path string, want, got any) []string {
	if known(path) {
		return nil
	}
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s: %v, want an object", path, got)}
		}
		var out []string
		for k, e := range w {
			if _, there := g[k]; !there && !known(path+"."+k) {
				out = append(out, fmt.Sprintf("%s.%s: missing", path, k))
				continue
			}
			out = append(out, treeDifferences(path+"."+k, e, g[k])...)
		}
		slices.Sort(out)
		return out
	case []any:
		g, ok := got.([]any)
		if !ok {
			return []string{fmt.Sprintf("%s: %v, want a list", path, got)}
		}
		if isSet(path) {
			return missing(path, w, g)
		}
		if len(w) != len(g) {
			return []string{fmt.Sprintf("%s: %v, want %v", path, got, want)}
		}
		var out []string
		for i := range w {
			out = append(out, treeDifferences(fmt.Sprintf("%s[%d]", path, i), w[i], g[i])...)
		}
		return out
	}
	if list, ok := got.([]any); ok && want == "null" && len(list) == 0 {
		return nil // to Go, in which the callers are written, null and [] are the same
	}
	if want != got {
		return []string{fmt.Sprintf("%s: %v, want %v", path, got, want)}
	}
	return nil
}

// isSet: lists of features.md in which order has no meaning, and more is no harm.
func isSet(path string) bool {
	return strings.HasPrefix(path, "out.linux.") || path == "out.mountOptions" || path == "out.hooks" ||
		path == "out.potentiallyUnsafeConfigAnnotations"
}

func missing(path string, want, got []any) []string {
	var out []string
	for _, w := range want {
		if !slices.Contains(got, w) {
			out = append(out, fmt.Sprintf("%s: %v is missing", path, w))
		}
	}
	return out
}

// known are the fields in which tare means to differ.
func known(path string) bool {
	if strings.HasSuffix(path, ".ociVersion") { // each runtime's own
		return true
	}
	switch path {
	case "out.ociVersionMax": // each runtime's own
		return true
	case "out.owner": // of one state runc says "", of a list of them it says who
		return true
	case "out.annotations.org.opencontainers.runc.version", "out.annotations.org.opencontainers.runc.commit",
		"out.annotations.io.github.seccomp.libseccomp.version": // each runtime's own
		return true
	case "out.annotations.org.opencontainers.runc.checkpoint.enabled": // with the commands that it announces
		return true
	case "out.linux.seccomp.supportedFlags": // depends on the kernel
		return true
	}
	return false
}
