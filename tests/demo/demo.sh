#!/usr/bin/env bash
# demo.sh [RUNTIME] - takes one container through its life with RUNTIME (bin/tare),
# showing each command and what came back, in a bundle and a state directory of
# its own, and leaves nothing behind. Exits 1 if a step did not do what it says.
set -euo pipefail

runtime=$(readlink -f "${1:-bin/tare}")
dir=$(mktemp -d "${TMPDIR:-/tmp}/tare-demo.XXXXXX")
id=demo-$$
cgroup=tare-demo-$$

step() { printf '\n\e[1m# %s\e[0m\n' "$*"; }
[[ -t 1 ]] || step() { printf '\n# %s\n' "$*"; }

die() {
	printf 'demo: %s\n' "$*" >&2
	exit 1
}

# show ARGS...: the command line as it would be typed.
show() {
	local arg
	printf '$ %s' "${runtime##*/}"
	for arg in "$@"; do
		if [[ $arg == *[\ \"\;]* ]]; then printf " '%s'" "$arg"; else printf ' %s' "$arg"; fi
	done
	printf '\n'
}

# quiet ARGS...: run without showing.
quiet() { "$runtime" --root "$dir/state" "$@"; }

tare() {
	show "$@"
	quiet "$@"
}

# expect WHAT: the container's status.
expect() {
	local got
	got=$(quiet state "$id" | sed -n 's/.*"status": *"\([a-z]*\)".*/\1/p')
	[[ $got == "$1" ]] || die "status is '$got', not '$1'"
}

cleanup() {
	local status=$? left
	quiet delete --force "$id" >/dev/null 2>&1 || true
	rm -rf "$dir"
	left=$(leftovers)
	if [[ -n $left ]]; then
		printf 'demo: left behind:\n%s\n' "$left" >&2
		status=1
	fi
	[[ $status -ne 0 ]] || step "Nothing is left behind: no process, mount, cgroup or file."
	exit "$status"
}

# leftovers of this run: files, mounts, cgroups, the container's init. (Dead but
# not yet reaped is the business of this machine's PID 1.)
leftovers() {
	[[ ! -e $dir ]] || printf '%s\n' "$dir"
	grep -F "$dir" /proc/self/mountinfo || true
	find /sys/fs/cgroup -maxdepth 3 -type d -name "$cgroup" 2>/dev/null || true
	[[ -z ${init:-} ]] || ! grep -qs '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$init/status" || printf 'process %s\n' "$init"
}

make_bundle() {
	local root=$dir/bundle/rootfs
	mkdir -p "$root"/{bin,dev,proc,sys,tmp,etc}
	cp "$(command -v busybox)" "$root/bin/busybox"
	for applet in sh echo sleep hostname id ps cat; do ln -s busybox "$root/bin/$applet"; done
	printf 'root:x:0:0::/:/bin/sh\n' >"$root/etc/passwd"
	sed "s|@CGROUP@|/$cgroup|" "${0%/*}/config.json" >"$dir/bundle/config.json"
}

[[ $EUID -eq 0 ]] || die "run as root"
[[ -x $runtime ]] || die "no runtime at ${1:-bin/tare}: run make"
trap cleanup EXIT
make_bundle
cd "$dir/bundle"

step "A bundle is a root filesystem and a config.json: here busybox, and a loop."
printf '$ ls . rootfs\n'
ls . rootfs
printf '$ %s --version\n' "${runtime##*/}"
"$runtime" --version

step "create: namespaces, mounts and cgroup are made; the process waits."
show create "$id"
quiet create "$id" >"$dir/container.log" 2>&1 </dev/null || {
	cat "$dir/container.log"
	die "create failed"
}
expect created

step "state: what an engine sees."
tare state "$id"
init=$(quiet state "$id" | sed -n 's/.*"pid": *\([0-9]*\).*/\1/p')

step "start: the process runs."
tare start "$id"
expect running

step "exec: a second process, in the same container."

tare exec "$id" sh -c 'echo "hello from $(hostname), pid $$, $(id -un)"; ps' | tee "$dir/exec.out"
grep -q '^hello from demo, pid' "$dir/exec.out" || die "exec did not run in the container"

step "ps and list: from outside."
tare ps "$id"
tare list

step "kill: the loop catches SIGTERM and ends."
tare kill "$id" TERM
# The container's end is the end of its init; waiting on /proc would race with a
# new process of that number, so the runtime is asked.
for _ in {1..100}; do
	quiet state "$id" | grep -q '"status": *"stopped"' && break
	sleep 0.1
done
expect stopped
printf '$ cat container.log\n'
cat "$dir/container.log"
grep -q '^caught TERM$' "$dir/container.log" || die "the container did not see SIGTERM"

step "delete: cgroup, mounts and state are gone."
tare delete "$id"
if quiet state "$id" >/dev/null 2>&1; then
	die "the container is still there"
fi
tare list
