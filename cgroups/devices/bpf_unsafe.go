package devices

import (
	"fmt"
	"runtime"
	"slices"
	"structs"
	"unsafe"

	"golang.org/x/sys/unix"
)

//lint:file-ignore U1000 the layouts are the kernel's

// programName marks programs as this package's, so that a later process finds
// the one to replace.
const programName = "tare_devices"

// Attributes of bpf(2), as linux/bpf.h lays them out.
type (
	progLoad struct {
		_                           structs.HostLayout
		progType, insnCnt           uint32
		insns, license              uint64
		logLevel, logSize           uint32
		logBuf                      uint64
		kernVersion, progFlags      uint32
		name                        [unix.BPF_OBJ_NAME_LEN]byte
		ifindex, expectedAttachType uint32
	}
	progAttach struct {
		_                                        structs.HostLayout
		target, prog, attachType, flags, replace uint32
	}
	progQuery struct {
		_                                           structs.HostLayout
		target, attachType, queryFlags, attachFlags uint32
		progIDs                                     uint64
		progCnt, _                                  uint32
		attachFlagsPtr                              uint64
	}
	objByID struct {
		_                   structs.HostLayout
		id, next, openFlags uint32
	}
	objInfo struct {
		_       structs.HostLayout
		fd, len uint32
		info    uint64
	}
	// progInfo is the beginning of struct bpf_prog_info.
	progInfo struct {
		_                       structs.HostLayout
		progType, id            uint32
		tag                     [8]byte
		jitedLen, xlatedLen     uint32
		jited, xlated, loadTime uint64
		uid, nrMaps             uint32
		maps                    uint64
		name                    [unix.BPF_OBJ_NAME_LEN]byte
	}
)

func bpf[T any](cmd int, attr *T) (int, error) {
	for {
		n, _, e := unix.Syscall(unix.SYS_BPF, uintptr(cmd), uintptr(unsafe.Pointer(attr)), unsafe.Sizeof(*attr))
		switch e {
		case 0:
			return int(n), nil
		case unix.EINTR, unix.EAGAIN: // EAGAIN: the verifier was interrupted by a signal
			continue
		}
		return -1, e
	}
}

// pointer returns p as an attribute holds it. Pinned, it is not on a stack, which
// may move before the kernel looks.
func pointer[T any](pin *runtime.Pinner, p *T) uint64 {
	pin.Pin(p)
	return uint64(uintptr(unsafe.Pointer(p)))
}

// loadProgram returns the descriptor of the loaded program.
func loadProgram(prog []insn) (int, error) {
	var pin runtime.Pinner
	defer pin.Unpin()
	license := [...]byte{'A', 'p', 'a', 'c', 'h', 'e', '-', '2', '.', '0', 0}
	attr := progLoad{
		progType: unix.BPF_PROG_TYPE_CGROUP_DEVICE, insnCnt: uint32(len(prog)),
		insns: pointer(&pin, &prog[0]), license: pointer(&pin, &license[0]),
		expectedAttachType: unix.BPF_CGROUP_DEVICE,
	}
	copy(attr.name[:], programName)
	fd, err := bpf(unix.BPF_PROG_LOAD, &attr)
	if err != nil {
		return -1, fmt.Errorf("bpf program load: %w", err)
	}
	return fd, nil
}

// attach attaches prog to the cgroup, in the place of replace unless that
// is negative.
func attach(cgroup, prog, replace int) error {
	attr := progAttach{target: uint32(cgroup), prog: uint32(prog), attachType: unix.BPF_CGROUP_DEVICE, flags: unix.BPF_F_ALLOW_MULTI}
	if replace >= 0 {
		attr.flags |= unix.BPF_F_REPLACE
		attr.replace = uint32(replace)
	}
	if _, err := bpf(unix.BPF_PROG_ATTACH, &attr); err != nil {
		return fmt.Errorf("bpf program attach: %w", err)
	}
	return nil
}

func detach(cgroup, prog int) error {
	attr := progAttach{target: uint32(cgroup), prog: uint32(prog), attachType: unix.BPF_CGROUP_DEVICE}
	if _, err := bpf(unix.BPF_PROG_DETACH, &attr); err != nil {
		return fmt.Errorf("bpf program detach: %w", err)
	}
	return nil
}

// attachedIDs lists the device programs attached to this very cgroup, of
// which the kernel allows 64.
func attachedIDs(cgroup int) ([]uint32, error) {
	var pin runtime.Pinner
	defer pin.Unpin()
	ids := make([]uint32, 64)
	attr := progQuery{target: uint32(cgroup), attachType: unix.BPF_CGROUP_DEVICE, progIDs: pointer(&pin, &ids[0]), progCnt: uint32(len(ids))}
	_, err := bpf(unix.BPF_PROG_QUERY, &attr)
	if err != nil {
		return nil, fmt.Errorf("bpf program query: %w", err)
	}
	return ids[:min(int(attr.progCnt), len(ids))], nil
}

// openProgram returns a descriptor of the program, its name, and whether its
// instructions are those of want. The kernel may have rewritten some, which
// makes it another program.
func openProgram(id uint32, want []insn) (fd int, name string, same bool, err error) {
	fd, err = bpf(unix.BPF_PROG_GET_FD_BY_ID, &objByID{id: id})
	if err != nil {
		return -1, "", false, fmt.Errorf("bpf program %d: %w", id, err)
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	insns := make([]insn, len(want))
	size := uint32(len(want)) * uint32(unsafe.Sizeof(insn{}))
	info := progInfo{xlatedLen: size}
	if size > 0 {
		info.xlated = pointer(&pin, &insns[0])
	}
	attr := objInfo{fd: uint32(fd), len: uint32(unsafe.Sizeof(info)), info: pointer(&pin, &info)}
	_, err = bpf(unix.BPF_OBJ_GET_INFO_BY_FD, &attr)
	if err != nil {
		unix.Close(fd)
		return -1, "", false, fmt.Errorf("bpf program %d: info: %w", id, err)
	}
	same = size > 0 && info.xlatedLen == size && info.xlated != 0 && slices.Equal(insns, want)
	return fd, unix.ByteSliceToString(info.name[:]), same, nil
}
