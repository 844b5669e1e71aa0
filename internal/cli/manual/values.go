package main

import (
	"golang.org/x/sys/unix"

	"tare/internal/spec"
)

// kind is what a shell offers for a value.
type kind int

const (
	anything kind = iota // nothing to offer
	file
	dir
	choice
	container // ids of the state root
	commands  // of tare itself
	signals
	logs // destinations of --log
)

// operand is one argument of a command.
type operand struct {
	kind     kind
	statuses string   // for containers: those that the command is for, "" is all
	choices  []string // for kind choice
}

// operands says what the arguments of a command are. It must know every command: one that is added
// without a line here does not get its pages.
func operands(name string) (args []operand, known bool) {
	ids := func(statuses string) operand { return operand{kind: container, statuses: statuses} }
	switch name {
	case "tare":
		return []operand{{kind: commands}}, true
	case "create", "run", "restore": // the id is a new one
		return nil, true
	case "list", "spec", "features":
		return nil, true
	case "help":
		return []operand{{kind: commands}}, true
	case "plan":
		return []operand{{kind: dir}}, true
	case "start":
		return []operand{ids("created")}, true
	case "exec":
		return []operand{ids("created running paused")}, true
	case "kill":
		return []operand{ids("created running paused"), {kind: signals}}, true
	case "pause":
		return []operand{ids("created running")}, true
	case "resume":
		return []operand{ids("paused")}, true
	case "update", "ps", "events", "checkpoint":
		return []operand{ids("created running paused")}, true
	case "delete", "state":
		return []operand{ids("")}, true
	case "mounts":
		return []operand{{kind: choice, choices: []string{"add", "remove"}}, ids("created running paused"), {kind: file}}, true
	case "mounts add", "mounts remove":
		return []operand{ids("created running paused"), {kind: file}}, true
	}
	return nil, false
}

// values says what an option's value can be, by the option's name and by what it is called.
func values(name, value string) (kind, []string) {
	switch name {
	case "log":
		return logs, nil
	case "log-format":
		return choice, []string{"text", "json"}
	case "log-level":
		return choice, []string{"error", "warning", "info", "debug"}
	case "cgroup-manager":
		return choice, []string{"cgroupfs", "systemd", "disabled"}
	case "rootless":
		return choice, []string{"true", "false", "auto"}
	case "format":
		return choice, []string{"table", "json"}
	case "cap":
		return choice, spec.KnownCapabilities()
	case "manage-cgroups-mode":
		return choice, []string{"soft", "full", "strict", "ignore"}
	case "network-lock":
		return choice, []string{"iptables", "nftables", "skip"}
	case "cpu-idle":
		return choice, []string{"0", "1"}
	}
	switch value {
	case "DIR":
		return dir, nil
	case "FILE", "PATH":
		return file, nil
	}
	return anything, nil
}

// signalNames are those that kill takes, without SIG.
func signalNames() []string {
	var names []string
	for n := unix.SIGHUP; n <= unix.SIGSYS; n++ {
		if name := unix.SignalName(n); name != "" {
			names = append(names, name[len("SIG"):])
		}
	}
	return names
}
