package host

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// NetStats are the counters of a network interface since it was made, as its own side counts them.
// Marshalled as an entry of network_interfaces of a stats event.
type NetStats struct {
	Name      string
	RxBytes   uint64
	RxPackets uint64
	RxErrors  uint64
	RxDropped uint64
	TxBytes   uint64
	TxPackets uint64
	TxErrors  uint64
	TxDropped uint64
}

// NetworkStats reads the counters of all interfaces but lo in the network namespace of process pid.
// None when that is the caller's own: they are not the process's then.
func NetworkStats(pid int) ([]NetStats, error) {
	theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))
	if leaving(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	ours, err := os.Readlink("/proc/self/ns/net")
	if err != nil || theirs == ours {
		return nil, err
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/dev", pid))
	if leaving(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parseNetDev(string(b))
}

// leaving: a process that is ending has left its namespaces a moment before it is dead.
func leaving(err error) bool {
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL)
}

// parseNetDev reads proc_pid_net(5) dev: two lines of headings, then `name: ` and sixteen numbers, eight
// for each direction.
func parseNetDev(text string) ([]NetStats, error) {
	var all []NetStats
	for line := range strings.Lines(text) {
		if strings.Contains(line, "|") {
			continue
		}
		// A name may hold colons (an alias), a number cannot.
		colon := strings.LastIndexByte(line, ':')
		if colon < 0 {
			return nil, fmt.Errorf("/proc/net/dev: line %q has no name", line)
		}
		s := NetStats{Name: strings.TrimSpace(line[:colon])}
		words := strings.Fields(line[colon+1:])
		const perLine = 16
		if len(words) < perLine {
			return nil, fmt.Errorf("/proc/net/dev: line %q has too few numbers", line)
		}
		for i, to := range [perLine]*uint64{0: &s.RxBytes, 1: &s.RxPackets, 2: &s.RxErrors, 3: &s.RxDropped,
			8: &s.TxBytes, 9: &s.TxPackets, 10: &s.TxErrors, 11: &s.TxDropped} {
			if to == nil {
				continue
			}
			n, err := strconv.ParseUint(words[i], 10, 64)
			if err != nil {
				return nil, fmt.Errorf("/proc/net/dev: %w", err)
			}
			*to = n
		}
		if s.Name != "lo" {
			all = append(all, s)
		}
	}
	return all, nil
}
