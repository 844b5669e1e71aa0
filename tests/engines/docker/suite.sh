# shellcheck shell=bash
# Docker: dockerd (with its own containerd and shim) whose default runtime is the one under test.

PARENT=/engines

# dockerd_start [FLAG...]: the daemon, answering.
# shellcheck disable=SC2120 # a case gives flags
dockerd_start() {
	DOCKER_BUILDKIT_RUNC_COMMAND=$RT_PATH dockerd --storage-driver overlay2 --cgroup-parent "$PARENT" --live-restore --experimental "$@" </dev/null >>/tmp/dockerd.log 2>&1 &
	echo $! >/tmp/dockerd.pid
	soon 60 docker version
}

# other_dockerd NAME FLAG...: another daemon for the case, in which "$d" is its client. It is in a network namespace
# of its own: without a bridge it would take the other daemon's.
other_dockerd() {
	local name=$1
	shift
	d="docker -H unix:///run/$name.sock"
	mkdir -p "/var/lib/$name"
	mount -t tmpfs -o mode=0755 "$name" "/var/lib/$name"
	unshare --net dockerd --data-root "/var/lib/$name" --exec-root "/run/$name" --pidfile "/run/$name.pid" -H "unix:///run/$name.sock" \
		--bridge none --storage-driver overlay2 --cgroup-parent "/engines-$name" "$@" &
	# shellcheck disable=SC2064 # now: both are the function's
	trap "kill $!; wait $! || true; umount /var/lib/$name" EXIT
	# shellcheck disable=SC2086 # the client and its flags
	soon 60 $d version
	$d load -i /tmp/box.tar
}

up() {
	# shellcheck source=tests/engines/image.sh
	. /suite/image.sh
	echo 'dockremap:x:990:990::/:/bin/false' >>/etc/passwd
	echo 'dockremap:x:990:' >>/etc/group
	echo 'dockremap:100000:65536' | tee -a /etc/subuid >>/etc/subgid
	mkdir -p /etc/docker
	# (dockerd reserves the names runc and crun.)
	shipped docker/daemon.json under-test >/etc/docker/daemon.json
	# shellcheck disable=SC2119
	dockerd_start
	image_archive /tmp/box.tar box:latest '["/bin/sh"]'
	docker load -i /tmp/box.tar
}

# Whatever a case left is gone before the next one.
reset() {
	local all
	all=$(docker ps -aq)
	# shellcheck disable=SC2086 # ids
	[[ -z $all ]] || docker rm -fv $all
	docker volume prune -af
	docker network prune -f
}

down() {
	kill "$(cat /tmp/dockerd.pid)"
	soon 20 test ! -e "/proc/$(cat /tmp/dockerd.pid)"
}

run() { docker run --rm "$@"; }
# bg NAME [FLAG...]: a container that stays, of IMAGE box.
bg() { local name=$1; shift; docker run -d --name "$name" "$@" >/dev/null; }
# shellcheck disable=SC2034 # for the cases
forever=(box sh -c 'trap "exit 0" TERM; while :; do sleep 1; done')
inspect() { docker inspect -f "$2" "$1"; }
pid() { inspect "$1" '{{.State.Pid}}'; }
status() { inspect "$1" '{{.State.Status}}'; }
# Groups of containers; BuildKit keeps its parent.
groups_left() { find /sys/fs/cgroup/*/"${PARENT#/}" -mindepth 1 -type d ! -path "*/buildkit" 2>/dev/null | head -n 30; }
