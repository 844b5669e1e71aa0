package step

import "syscall"

// ExecText is the sentence for an execve of path that fails with errno. exists: the file is there all the
// same. Engines tell exit statuses 126 and 127 by these texts.
func ExecText(path string, errno syscall.Errno, exists bool) string {
	text := "exec " + path + ": " + errno.Error()
	switch {
	case errno == syscall.EISDIR: // what execve(2) itself answers is permission denied
		return `exec: "` + path + `": is a directory: permission denied`
	case errno == syscall.ENOENT && exists:
		text += " (the file is there: is its interpreter or dynamic loader missing?)"
	case errno == syscall.ENOEXEC:
		text += " (built for another architecture, or a script without #! line?)"
	}
	return text
}

// Explain puts the words into a report of the fast lane's execve, which has found the file before.
func (r *Report) Explain() {
	if r.Op == OpExecve {
		r.Text = ExecText(r.Value, syscall.Errno(r.Errno), true)
		r.Op, r.Value = "", ""
	}
}

// SearchPath gives the paths at which execvp(3) would look for a program: name itself when it has a slash, else
// name in each directory of path, in order.
func SearchPath(name, path string) []string {
	for i := range len(name) {
		if name[i] == '/' {
			return []string{name}
		}
	}
	var list []string
	for start := 0; name != "" && path != "" && start <= len(path); {
		end := start
		for end < len(path) && path[end] != ':' {
			end++
		}
		dir := path[start:end]
		if dir == "" {
			dir = "."
		}
		list = append(list, dir+"/"+name)
		start = end + 1
	}
	return list
}

// NearExec tells whether nothing but capability changes comes before Exec, which is in rest.
func NearExec(rest []Step) bool {
	for _, s := range rest {
		switch s.Kind() {
		case KindExec:
			return true
		case KindCaps:
		default:
			return false
		}
	}
	return false
}
