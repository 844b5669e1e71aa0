package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"

	"tare/internal/child"
	"tare/internal/step"
)

// RunMapHelpers writes the id maps of pid's user namespace with newuidmap(1) and newgidmap(1), for a
// runtime that may not do so itself.
func RunMapHelpers(ctx context.Context, pid int, uids, gids []step.IDMap) error {
	err := runMapHelper(ctx, "newuidmap", "/etc/subuid", pid, uids, uint32(os.Geteuid()))
	if err != nil {
		return err
	}
	return runMapHelper(ctx, "newgidmap", "/etc/subgid", pid, gids, uint32(os.Getegid()))
}

func runMapHelper(ctx context.Context, tool, table string, pid int, maps []step.IDMap, own uint32) error {
	path, err := exec.LookPath(tool)
	if err != nil {
		return fmt.Errorf("%s: not found in $PATH (package uidmap or shadow-utils: needed to map more ids than one's own)", tool)
	}
	args := []string{tool, strconv.Itoa(pid)}
	for _, m := range maps {
		for _, v := range []uint32{m.Container, m.Host, m.Size} {
			args = append(args, strconv.FormatUint(uint64(v), 10))
		}
	}
	out, err := child.Run(ctx, &child.Cmd{Path: path, Args: args, Env: os.Environ()})
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%s: %w", strings.Join(args, " "), err)
	if text := strings.TrimSpace(string(out.Stderr)); text != "" {
		err = fmt.Errorf("%w: %s", err, text)
	}
	if hint := mapHint(maps, own, table); hint != "" && !errors.Is(err, ctx.Err()) {
		err = fmt.Errorf("%w (%s)", err, hint)
	}
	return err
}

// mapHint says what the user lacks in /etc/subuid or /etc/subgid, if anything.
func mapHint(maps []step.IDMap, own uint32, table string) string {
	uid := os.Geteuid()
	name := ""
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		name = u.Username
	}
	ids, err := SubIDs(table, name, uint32(uid))
	if err != nil {
		return err.Error()
	}
	return missing(maps, own, ids, table)
}
