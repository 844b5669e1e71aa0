# shellcheck shell=bash
# shellcheck disable=SC2154 # forever, box: suite.sh has them
# What podman alone asks of a runtime.

it 'volumes: :O (an overlay), tmpfs with the image'"'"'s files' overlay_volume core
overlay_volume() {
	mkdir d; echo below >d/f
	eq "$(run -v "$PWD/d:/d:O" box sh -c 'cat /d/f; echo above >/d/f; cat /d/f')" $'below\nabove'
	eq "$(cat d/f)" below
	run --tmpfs /etc box grep -q ^user: /etc/passwd
	eq "$(run --mount type=tmpfs,dst=/etc,notmpcopyup box ls /etc/group 2>/dev/null || echo none)" none
}

it '--rootfs: a folder, with an overlay' rootfs
rootfs() {
	# shellcheck source=tests/engines/image.sh
	. /suite/image.sh
	image_root "$PWD/root"
	eq "$(run --rootfs "$PWD/root:O" sh -c 'echo x >/made; cat /made')" x
	[[ ! -e root/made ]] || fail 'the folder was written to'
}

it '--sdnotify=container: the container says that it is ready' sdnotify core
sdnotify() {
	cat >listen.py <<-'END'
		import os, socket, subprocess, sys
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		s.bind(os.environ["NOTIFY_SOCKET"])
		s.settimeout(40)
		p = subprocess.Popen(sys.argv[1:])
		got = b""
		while b"READY=1" not in got: got += s.recv(4096) + b"\n"
		print(got.decode())
		p.wait(40)
	END
	printf 'import os, socket, time\ntime.sleep(0.5)\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\ns.sendto(b"READY=1\\n", os.environ["NOTIFY_SOCKET"])\ntime.sleep(100)\n' >ready.py
	NOTIFY_SOCKET=$PWD/sock python3 listen.py podman run -d --name c1 --sdnotify=container -v "$PWD/ready.py:/ready.py" -v /usr/bin:/usr/bin:ro -v /usr/lib:/usr/lib:ro -v /usr/lib:/lib:ro -v /usr/lib64:/lib64:ro \
		box /usr/bin/python3 /ready.py >out
	has "$(cat out)" READY=1
	has "$(cat out)" MAINPID=
	eq "$(status c1)" running
}

it '--network=ns:, a namespace by path' network_path
network_path() {
	ip netns add own
	ip netns exec own ip link set lo up
	eq "$(run --network=ns:/run/netns/own box readlink /proc/self/ns/net)" "net:[$(stat -Lc %i /run/netns/own)]"
	ip netns del own
}

it 'a device of CDI' cdi core
cdi() {
	mkdir -p /etc/cdi
	jq -n '{cdiVersion: "0.6.0", kind: "example.com/thing", devices: [{name: "one", containerEdits: {
		deviceNodes: [{path: "/dev/thing", hostPath: "/dev/fuse"}], env: ["THING=one"]}}]}' >/etc/cdi/thing.json
	eq "$(run --device example.com/thing=one box sh -c 'stat -c %t:%T /dev/thing; echo $THING')" $'a:e5\none'
}

it 'podman --runtime PATH, --runtime-flag' by_path core
by_path() {
	eq "$(podman --runtime "$RT_PATH" run --rm box echo by-path)" by-path
	eq "$(podman --runtime "$RT_PATH" --runtime-flag debug run --rm box echo flagged 2>/dev/null)" flagged
}

it 'log driver passthrough: the container has the client'"'"'s own streams' passthrough
passthrough() { eq "$(run --log-driver passthrough box sh -c 'echo out; echo err >&2' 2>err </dev/null)$(cat err)" outerr; }

it '--stop-signal, --stop-timeout, exit by a real-time signal' stop_signal
stop_signal() {
	bg c1 --stop-signal RTMIN+3 box sh -c 'trap "exit 12" 37; echo up; while :; do sleep 0.1; done'
	soon_eq 10 up podman logs c1
	podman stop c1
	eq "$(inspect c1 '{{.State.ExitCode}}')" 12
}

it 'podman exec in a container with a user namespace and a volume' exec_userns
exec_userns() {
	mkdir d; chown 100005:100005 d
	bg c1 --uidmap 0:100000:1000 --gidmap 0:100000:1000 -v "$PWD/d:/d" "${forever[@]}"
	podman exec -u 5:5 c1 sh -c 'echo mine >/d/f'
	eq "$(stat -c %u d/f)" 100005
}
