# foreign.sh - sourced by guest.sh: a root of another architecture than this machine's. Its programs run
# under qemu-user by a binfmt_misc that is seen in one user namespace alone (Linux 6.7 and newer), so the
# machine's own is left as it is.
# shellcheck shell=bash disable=SC2154 # root is guest.sh's

# enter_foreign starts the process that holds the namespaces, and registers the emulator in them.
enter_foreign() {
	local emulator=/usr/bin/qemu-aarch64-static
	# An ELF header, 64 bit, little-endian, an executable or a shared object, for AArch64 (binfmt_misc's escapes).
	local magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
	local mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
	unshare --user --mount --propagation private sleep infinity &
	foreign_pid=$!
	trap 'kill "$foreign_pid" 2>/dev/null' EXIT
	until [[ $(readlink "/proc/$foreign_pid/ns/user") != "$(readlink /proc/self/ns/user)" ]]; do sleep 0.05; done
	printf '0 0 65536\n' >"/proc/$foreign_pid/uid_map"
	printf '0 0 65536\n' >"/proc/$foreign_pid/gid_map"
	# shellcheck disable=SC2016 # expanded inside
	in_foreign sh -euc 'mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
		printf %s "$1" >/proc/sys/fs/binfmt_misc/register' sh ":foreign:M::$magic:$mask:$emulator:F" ||
		die "this kernel has no binfmt_misc of a user namespace: it must be 6.7 or newer"
}

in_foreign() { nsenter --target "$foreign_pid" --user --mount --setuid 0 --setgid 0 -- "$@"; }

# bootstrap_foreign URL: debootstrap's second half runs the root's own programs. In a user namespace it can
# make no device nodes: they are there, and it is told that it is in a container.
bootstrap_foreign() {
	local node name major minor mode
	debootstrap --arch="$GUEST_ARCH" --foreign --variant=minbase trixie "$root" "$1" || return
	for node in null:1:3:666 zero:1:5:666 full:1:7:666 random:1:8:666 urandom:1:9:666 tty:5:0:666 console:5:1:600 ptmx:5:2:666; do
		IFS=: read -r name major minor mode <<<"$node"
		[[ -e $root/dev/$name ]] || mknod -m "$mode" "$root/dev/$name" c "$major" "$minor"
	done
	enter_foreign
	in_root env container=lxc /debootstrap/debootstrap --second-stage
}
