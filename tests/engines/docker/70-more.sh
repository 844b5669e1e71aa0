# shellcheck shell=bash
# shellcheck disable=SC2154 # forever, box: suite.sh has them
# Uses seen in the wild: monitoring agents, device plugins, a runtime inside a container.

it 'an agent: the machine'"'"'s root, /proc and /sys inside, read-only' agent core
agent() {
	run --pid host --network host -v /:/host:ro,rslave -v /proc:/host-proc:ro -v /sys:/host-sys:ro -v /run/docker.sock:/run/docker.sock box \
		sh -c 'test -e /host/usr/sbin/dockerd && test -e /host-proc/1/status && test -d /host-sys/class/net/lo && test -S /run/docker.sock && ! touch /host/x 2>/dev/null'
}

it 'a device of CDI: node, mount, environment, hook' cdi core
cdi() {
	cdi_spec
	eq "$(run --device example.com/thing=one box sh -c 'stat -c %t:%T /dev/thing; echo $THING; cat /thing/f; cat /by-hook')" $'a:e5\none\nfrom the spec\nhook'
}
cdi_spec() {
	mkdir -p /etc/cdi /srv/thing
	echo 'from the spec' >/srv/thing/f
	printf '#!/bin/sh\nread -r state\nroot=$(echo "$state" | jq -r .bundle)/config.json\nroot=$(jq -r .root.path "$root")\necho hook >"$root/by-hook"\n' >/srv/thing/hook
	chmod +x /srv/thing/hook
	jq -n '{cdiVersion: "0.6.0", kind: "example.com/thing", devices: [{name: "one", containerEdits: {
		deviceNodes: [{path: "/dev/thing", hostPath: "/dev/fuse"}], env: ["THING=one"],
		mounts: [{hostPath: "/srv/thing", containerPath: "/thing", options: ["ro", "rbind"]}],
		hooks: [{hookName: "createRuntime", path: "/srv/thing/hook", args: ["hook"]}]}}]}' >/etc/cdi/thing.json
}

it 'a runtime inside a privileged container' nested core
nested() {
	[[ $LAB_CGROUP != v2 ]] || skip 'the inner one would have to move the container off its group'
	mkdir -p bundle/rootfs bin
	cp "$RT_PATH" bin/rt # (in its folder: runc seals itself by an overlay of that)
	tar -C /tmp/image-root -cf - . | tar -C bundle/rootfs -xf -
	jq -n '{ociVersion: "1.2.0", process: {cwd: "/", args: ["sh", "-c", "echo $$; hostname"], env: ["PATH=/bin"], user: {uid: 0, gid: 0}},
		root: {path: "rootfs"}, hostname: "inner", linux: {namespaces: [{type: "mount"}, {type: "pid"}, {type: "uts"}, {type: "ipc"}, {type: "network"}],
		resources: {pids: {limit: 20}, memory: {limit: 33554432}}},
		mounts: [{destination: "/proc", type: "proc", source: "proc"}, {destination: "/dev", type: "tmpfs", source: "tmpfs"}]}' >bundle/config.json
	eq "$(run --privileged -v "$PWD/bundle:/bundle" -v "$PWD/bin:/opt/bin" -v /usr/lib:/usr/lib:ro -v /usr/lib:/lib:ro -v /usr/lib64:/lib64:ro box \
		sh -c 'cd /bundle && exec /opt/bin/rt run inner')" $'1\ninner'
}

it '--ipc none; --mount of a part of a volume' mounts_more
mounts_more() {
	gives 1 run --ipc none box test -e /dev/shm
	run -v vol:/v box sh -c 'mkdir /v/sub; echo part >/v/sub/f'
	eq "$(run --mount type=volume,src=vol,dst=/p,volume-subpath=sub box cat /p/f)" part
}

it 'a shell that is typed into: exec -it, its size follows the terminal' exec_resize
exec_resize() {
	bg c1 "${forever[@]}"
	cat >typed.py <<-'END'
		import fcntl, os, pty, select, struct, subprocess, sys, termios, time
		master, slave = pty.openpty()
		def size(rows, cols): fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
		size(20, 80)
		p = subprocess.Popen(["docker", "exec", "-it", "c1", "sh"], stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
		    preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
		os.close(slave)
		text = b""
		# until calls again() meanwhile: the client misses a change of size that comes before it listens.
		def until(want, again):
		    global text
		    end = time.time() + 30
		    while want not in text and time.time() < end:
		        if select.select([master], [], [], 0.3)[0]: text += os.read(master, 4096)
		        else: again()
		os.write(master, b"stty size\n"); until(b"20 80", lambda: None)
		os.write(master, b"until stty size | grep '30 100'; do sleep 0.1; done; echo re''sized\n")
		until(b"resized", lambda: (size(30, 99), size(30, 100)))
		os.write(master, b"exit 4\n")
		status = p.wait(20)
		sys.exit(0 if b"resized" in text and status == 4 else f"{text} {status}")
	END
	timeout 60 python3 typed.py
}

it 'processes that the container'"'"'s first one leaves behind end with it' orphans
orphans() {
	bg c1 box sh -c 'setsid sleep 6543 & sleep 1; exit 0'
	docker wait c1
	soon 10 sh -c '! pgrep -f "^sleep 6543"'
}

it 'forty short runs, one after another' many_runs
many_runs() {
	local i
	for i in {1..40}; do eq "$(run --network none box echo "$i")" "$i"; done
	eq "$(groups_left)" '' 'groups left'
}
