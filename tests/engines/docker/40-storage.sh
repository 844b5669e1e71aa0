# shellcheck shell=bash
# shellcheck disable=SC2154 # forever, box: suite.sh has them
# Mounts and volumes.

it '--read-only, with a tmpfs to write in' read_only core
read_only() {
	gives 1 run --read-only box touch /x
	run --read-only --tmpfs /tmp box sh -c 'touch /tmp/x && echo y >/dev/shm/y'
}

it '--tmpfs: size, mode, noexec' tmpfs core
tmpfs() {
	eq "$(run --tmpfs /t:size=64k,mode=1770,noexec,uid=1000 box stat -c %a:%u /t)" 1770:1000
	gives 1 run --tmpfs /t:size=64k box sh -c 'dd if=/dev/zero of=/t/f bs=1k count=100 2>/dev/null'
	gives 126 run --tmpfs /t:noexec box sh -c 'cp /bin/busybox /t/true; /t/true'
}

it '--shm-size' shm_size
shm_size() { eq "$(run --shm-size 1m box sh -c 'df -k /dev/shm | tail -n 1 | awk "{print \$2}"')" 1024; }

it 'volumes: named, shared, copied from the image' volumes core
volumes() {
	run -v vol:/etc box sh -c 'echo z >>/etc/zz'
	eq "$(run -v vol:/v box sh -c 'cat /v/zz; grep -c . /v/passwd')" $'z\n4'
	gives 1 run -v vol:/v:ro box touch /v/y
}

it 'binds: rw, ro, a file, a missing source' binds core
binds() {
	mkdir d; echo one >d/f; echo solo >file
	eq "$(run -v "$PWD/d:/d" -v "$PWD/file:/a/new/file:ro" box sh -c 'cat /d/f /a/new/file; echo two >/d/g')" $'one\nsolo'
	eq "$(cat d/g)" two
	gives 1 run -v "$PWD/d:/d:ro" box touch /d/x
	gives 125 run --mount "type=bind,src=$PWD/absent,dst=/d" box true
}

it 'binds: a folder over a file is refused, with a hint' bind_mismatch
bind_mismatch() {
	mkdir d
	! run -v "$PWD/d:/etc/passwd" box true >out 2>&1 || fail 'it started'
	has "$(cat out)" 'not a directory'
	has "$(cat out)" 'Are you trying to mount a directory onto a file'
}

it 'binds: recursively read-only' bind_recursive core
bind_recursive() {
	mkdir -p d/sub
	mount -t tmpfs sub d/sub
	gives 1 run --mount "type=bind,src=$PWD/d,dst=/d,ro" box touch /d/sub/x
	run --mount "type=bind,src=$PWD/d,dst=/d,ro,bind-recursive=writable" box touch /d/sub/x
	gives 1 run --mount "type=bind,src=$PWD/d,dst=/d,ro,bind-recursive=readonly,bind-propagation=rprivate" box touch /d/sub/x
	run --mount "type=bind,src=$PWD/d,dst=/d,bind-recursive=disabled" box sh -c '! test -e /d/sub/x'
	umount d/sub
}

it 'propagation: private, slave, shared' propagation core
propagation() {
	local mode
	mkdir m; mount -t tmpfs m m; mount --make-shared m
	for mode in rprivate rslave rshared; do
		mkdir m/$mode
		bg "$mode" --privileged -v "$PWD/m:/m:$mode" "${forever[@]}"
		mount -t tmpfs later m/$mode
		touch m/$mode/seen
		docker exec $mode sh -c "mkdir /m/in-$mode; mount -t tmpfs in /m/in-$mode"
	done
	gives 1 docker exec rprivate test -e /m/rprivate/seen
	docker exec rslave test -e /m/rslave/seen
	docker exec rshared test -e /m/rshared/seen
	mountpoint -q m/in-rshared
	gives 32 mountpoint -q m/in-rslave
	docker rm -f rprivate rslave rshared
	umount -R m
}

it '--volumes-from; anonymous volumes go with --rm' volumes_from
volumes_from() {
	bg c1 -v /data "${forever[@]}"
	docker exec c1 sh -c 'echo d >/data/d'
	eq "$(run --volumes-from c1 box cat /data/d)" d
	run -v /anonymous box true
	eq "$(docker volume ls -q | wc -l)" 1
}

it 'links of the image are followed within the root only' symlinks
symlinks() {
	printf 'FROM box\nRUN ln -s /etc /link && ln -s ../../../../../../host /up\n' | docker build -q -t box:links - >/dev/null
	mkdir d; echo in >d/f
	eq "$(run -v "$PWD/d:/link/sub" box:links cat /etc/sub/f)" in
	eq "$(run -v "$PWD/d:/up/sub" box:links cat /host/sub/f)" in
	[[ ! -e /host ]] || fail '/host was made outside'
	docker rmi -f box:links
}
