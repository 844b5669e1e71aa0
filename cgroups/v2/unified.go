package v2

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"tare/cgroups"
	"tare/cgroups/internal/ctl"
)

// checkUnified refuses keys that are no file of a cgroup directory.
func checkUnified(u map[string]string) error {
	for _, key := range unifiedKeys(u) {
		c, param, ok := strings.Cut(key, ".")
		if !ok || c == "" || param == "" || strings.ContainsAny(key, "/\x00") {
			return fmt.Errorf("linux.resources.unified.%s: not a CONTROLLER.PARAMETER name", key)
		}
	}
	return nil
}

// setUnified writes linux.resources.unified: the key is a file name, each
// line of the value one write(2), as files with a line for each device want.
func (m *Manager) setUnified(w *ctl.Journal, u map[string]string) error {
	for _, key := range unifiedKeys(u) {
		for line := range strings.SplitSeq(strings.TrimRight(u[key], "\n"), "\n") {
			if err := w.Write(m.dir, key, line); err != nil {
				c, _, _ := strings.Cut(key, ".")
				return m.explainUnified("linux.resources.unified."+key, c, err)
			}
		}
	}
	return nil
}

func (m *Manager) explainUnified(at, controller string, err error) error {
	if errors.Is(err, unix.ENOENT) && controller != "cgroup" {
		if have, cerr := controllers(m.dir); cerr == nil && checkNeed(have, []Need{{controller, at}}) != nil {
			return fmt.Errorf("%s: cgroup controller %q: %w", at, controller, cgroups.ErrNotSupported)
		}
	}
	return fmt.Errorf("%s: %w", at, err)
}
