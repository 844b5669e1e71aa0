#!/usr/bin/env bash
# lab.sh start WHAT... - makes the namespaces of a lab, but the one for cgroups, which it is in.
# lab.sh WHAT... - process 1 of a lab, started by run.sh in new namespaces: makes the
# world (root, /proc, /sys, /dev, cgroups), goes there, and runs WHAT: `suite NAME` or `shell [CMD...]`.
set -euo pipefail

# world DIR: an overlay over the engines' root, with what a machine has under it.
world() {
	local r=$1 d
	mount -t tmpfs -o mode=755 lab "$r"
	mkdir "$r/up" "$r/work" "$r/root"
	mount -t overlay -o "lowerdir=$LAB_ROOT,upperdir=$r/up,workdir=$r/work" lab "$r/root"
	r=$r/root
	mount -t proc -o nosuid,nodev,noexec proc "$r/proc"
	mount -t sysfs -o nosuid,nodev,noexec sysfs "$r/sys"
	mount -t tmpfs -o mode=755,nosuid dev "$r/dev"
	devices "$r/dev"
	for d in run tmp var/tmp var/lib/docker var/lib/containerd var/lib/containers; do
		mkdir -p "$r/$d"
		mount -t tmpfs -o mode=755 tmpfs "$r/$d"
	done
	chmod 1777 "$r/tmp" "$r/var/tmp"
	mkdir -p "$r/suite" "$r/out"
	# A copy: the scripts may be edited while they run.
	cp -a "$LAB_HERE/." "$r/suite"
	cp -a "$LAB_HERE/../../contrib" "$r/contrib"
	mount --bind "$LAB_OUT" "$r/out"
	[[ -z $LAB_PATH ]] || install -m 0755 "$LAB_PATH" "$r/usr/local/sbin/$RT"
}

devices() {
	local d=$1 node
	for node in 'null 1 3' 'zero 1 5' 'full 1 7' 'random 1 8' 'urandom 1 9' 'tty 5 0' 'fuse 10 229' 'kmsg 1 11'; do
		# shellcheck disable=SC2086 # name, major, minor
		set -- $node
		mknod -m 0666 "$d/$1" c "$2" "$3"
	done
	mkdir "$d/pts" "$d/shm" "$d/mqueue" "$d/net"
	mknod -m 0666 "$d/net/tun" c 10 200
	mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$d/pts"
	mount -t tmpfs -o mode=1777,nosuid,nodev shm "$d/shm"
	mount -t mqueue mqueue "$d/mqueue"
	ln -s pts/ptmx "$d/ptmx"
	ln -s /proc/self/fd "$d/fd"
	ln -s fd/0 "$d/stdin"
	ln -s fd/1 "$d/stdout"
	ln -s fd/2 "$d/stderr"
}

# cgroups DIR: this cgroup namespace's view of every hierarchy, so that the lab sees its own groups as the roots.
cgroups() {
	local c=$1 line controllers name
	if [[ $LAB_CGROUP = v2 ]]; then
		mount -t cgroup2 cgroup2 "$c"
		sed 's/[^ ]*/+&/g' "$c/cgroup.controllers" >"$c/cgroup.subtree_control"
		return
	fi
	mount -t tmpfs -o mode=755,nosuid,nodev,noexec cgroup "$c"
	while IFS=: read -r _ controllers _; do
		case $controllers in
		'')
			[[ $LAB_CGROUP = hybrid ]] || continue
			mkdir "$c/unified"
			mount -t cgroup2 cgroup2 "$c/unified"
			;;
		*)
			name=${controllers#name=}
			mkdir "$c/$name"
			mount -t cgroup -o "$controllers" cgroup "$c/$name"
			for line in ${name//,/ }; do [[ -e $c/$line ]] || ln -s "$name" "$c/$line"; done
			;;
		esac
	done </proc/self/cgroup
	mount -o remount,ro "$c"
}

enter() {
	local r=$1
	cd "$r"
	mkdir -p old
	pivot_root . old
	cd /
	umount -l /old
	rmdir /old
	mount --make-rshared /
	hostname lab
	printf '127.0.0.1 localhost lab\n' >/etc/hosts
	ip link set lo up
	echo 1 >/proc/sys/net/ipv4/ip_forward
}

# A cgroup v2 group with processes hands no controller down: whoever waits for the lab, and the lab, go one
# level below the group that the lab sees as the root.
step_down() {
	local h
	for h in $LAB_HIERARCHIES; do
		[[ -e $h/cgroup.controllers ]] || continue
		mkdir "$h/$LAB_GROUP/lab"
		echo $$ >"$h/$LAB_GROUP/lab/cgroup.procs"
	done
}

if [[ $1 = start ]]; then
	shift
	[[ $LAB_CGROUP != v2 ]] || step_down
	exec unshare --mount --net --pid --ipc --uts --fork --kill-child --propagation private "$0" "$@"
fi
world "$LAB_DIR"
cgroups "$LAB_DIR/root/sys/fs/cgroup"
enter "$LAB_DIR/root"

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TMPDIR=/tmp LANG=C.UTF-8
unset LD_LIBRARY_PATH LD_PRELOAD PYTHONHOME PYTHONPATH XDG_RUNTIME_DIR NOTIFY_SOCKET
RT_PATH=$(command -v "$RT") || { echo "lab.sh: no runtime $RT in the lab" >&2; exit 2; }
export RT_PATH
case $1 in
suite) exec tini -g -- /suite/suite.sh "$2" ;;
shell)
	shift
	# shellcheck source=tests/engines/lib.sh
	. /suite/lib.sh
	if [[ $# -gt 0 ]]; then "$@"; else bash -i; fi
	;;
esac
