# shellcheck shell=bash
# shellcheck disable=SC2154 # forever, box: suite.sh has them
# Pods, kube YAML, builds, a user's own podman.

# The pod's first process is catatonit; no image is fetched for it.
it 'pod: shared network, IPC and host name' pod core
pod() {
	podman pod create --name p1 --hostname podhost >/dev/null
	bg c1 --pod p1 "${forever[@]}"
	bg c2 --pod p1 "${forever[@]}"
	local n
	for n in net ipc uts; do eq "$(ns "$(pid c1)" $n)" "$(ns "$(pid c2)" $n)" $n; done
	[[ $(ns "$(pid c1)" pid) != "$(ns "$(pid c2)" pid)" ]] || fail 'one pid namespace'
	eq "$(podman exec c2 hostname)" podhost
	podman exec -d c1 sh -c 'mkdir -p /w; echo page >/w/index.html; httpd -p 8080 -h /w'
	soon_eq 10 page podman exec c2 wget -qO- http://localhost:8080/
	podman pod stop -t 1 p1
	podman pod start p1
	eq "$(status c1)" running
	podman pod rm -f -t 0 p1
}

it 'pod: shared process namespace' pod_pid core
pod_pid() {
	podman pod create --name p1 --share pid,net,ipc,uts >/dev/null
	bg c1 --pod p1 box sleep 3210
	bg c2 --pod p1 "${forever[@]}"
	eq "$(ns "$(pid c1)" pid)" "$(ns "$(pid c2)" pid)"
	has "$(podman exec c2 ps)" 'sleep 3210'
	podman pod rm -f -t 0 p1
}

it 'pod: limits of the whole' pod_limits
pod_limits() {
	podman pod create --name p1 -m 64m --cpus 0.5 >/dev/null
	bg c1 --pod p1 "${forever[@]}"
	local d
	d=$(cgroup_dir "$(pid c1)" memory)
	eq "$(cat "${d%/*}/memory.limit_in_bytes" 2>/dev/null || cat "${d%/*}/memory.max")" $((64 << 20))
	podman pod rm -f -t 0 p1
}

it 'kube generate, kube play, kube down' kube core
kube() {
	podman pod create --name p1 >/dev/null
	podman create --name c1 --pod p1 -e GREETING=hi "${forever[@]}" >/dev/null
	podman kube generate p1 >p.yaml
	podman pod rm -f -t 0 p1
	podman kube play p.yaml
	eq "$(podman exec p1-c1 sh -c 'echo $GREETING')" hi
	podman kube down p.yaml
	eq "$(podman ps -aq)" ''
}

it 'kube play: init container, security context, limits, probe' kube_context core
kube_context() {
	cat >p.yaml <<-'END'
		apiVersion: v1
		kind: Pod
		metadata: {name: kp}
		spec:
		  volumes: [{name: v, emptyDir: {}}]
		  initContainers:
		  - {name: first, image: localhost/box, imagePullPolicy: Never, command: [sh, -c, "echo made >/v/f"], volumeMounts: [{name: v, mountPath: /v}]}
		  containers:
		  - name: main
		    image: localhost/box
		    imagePullPolicy: Never
		    command: [sh, -c, "while :; do sleep 1; done"]
		    volumeMounts: [{name: v, mountPath: /v}]
		    resources: {limits: {memory: 64Mi, cpu: 500m}}
		    livenessProbe: {exec: {command: ["true"]}, periodSeconds: 1}
		    securityContext: {runAsUser: 1000, runAsGroup: 1000, readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
	END
	podman kube play p.yaml
	eq "$(podman exec kp-main sh -c 'cat /v/f; id -u; sed -n "s/^CapEff:.//p" /proc/1/status')" $'made\n1000\n0000000000000000'
	gives 1 podman exec -u 0 kp-main touch /x
	eq "$(knob "$(pid kp-main)" memory.limit_in_bytes memory.max)" $((64 << 20))
	podman kube down p.yaml
}

it 'podman build' build core
build() {
	cat >Containerfile <<-'END'
		FROM localhost/box
		ARG WHO=nobody
		RUN echo "built by $WHO" >/built && id -u >>/built
		USER user
		WORKDIR /home/user/sub
		RUN --mount=type=cache,target=/cache,uid=1000 pwd >p; id -u >>p; touch /cache/x
		RUN ls /proc/self/fd | tr '\n' ' ' >fds
	END
	podman build -q --runtime "$RT_PATH" --isolation oci --build-arg WHO=me -t built . >/dev/null
	eq "$(run built sh -c 'cat /built p fds')" $'built by me\n0\n/home/user/sub\n1000\n0 1 2 3 '
	printf 'FROM localhost/box\nRUN exit 23\n' | gives 23 podman build --runtime "$RT_PATH" --isolation oci - >out 2>&1
	podman rmi -f built
}

it 'buildah run --isolation oci' buildah_run core
buildah_run() {
	local c
	c=$(buildah from --pull-never localhost/box)
	local b=(buildah run --runtime "$RT_PATH" --isolation oci)
	eq "$("${b[@]}" "$c" -- sh -c 'echo hi; id -u')" $'hi\n0'
	gives 7 "${b[@]}" "$c" -- sh -c 'exit 7'
	eq "$("${b[@]}" --user 1000:1000 --cap-drop all --network none "$c" -- sh -c 'id -u; ls /sys/class/net')" $'1000\nlo'
	has "$(on_tty "${b[@]}" -t "$c" -- tty)" /dev/pts
	"${b[@]}" "$c" -- touch /new
	buildah commit -q "$c" localhost/made >/dev/null
	run localhost/made test -e /new
	buildah rm "$c"
	podman rmi -f localhost/made
}

it 'an ordinary user: run, exec, build' rootless core
rootless() {
	rootless_home
	# Not local: the trap outlives the function.
	r=(setpriv --reuid 1234 --regid 1234 --clear-groups env -i HOME=/tmp/rootless XDG_RUNTIME_DIR=/tmp/rootless/run PODMAN_IGNORE_CGROUPSV1_WARNING=1 PATH="$PATH" podman)
	trap '"${r[@]}" rm -af -t 0; "${r[@]}" system migrate; umount -l /tmp/rootless' EXIT
	cd /tmp/rootless || exit
	"${r[@]}" load -q -i /tmp/box.tar
	eq "$("${r[@]}" run --rm --network none box id -u)" 0
	gives 7 "${r[@]}" run --rm --network none box sh -c 'exit 7'
	eq "$("${r[@]}" run --rm --network none box awk '{print $1,$2,$3}' /proc/self/uid_map)" $'0 1234 1\n1 200000 65536'
	eq "$("${r[@]}" run --rm --network host --userns keep-id box id -u)" 1234
	"${r[@]}" run -d --name c1 --network none box sh -c 'trap "exit 0" TERM; while :; do sleep 1; done' >/dev/null
	eq "$("${r[@]}" exec c1 sh -c 'id -u; hostname >/dev/null')" 0
	has "$(on_tty "${r[@]}" exec -t c1 tty)" /dev/pts
	if [[ $RT != runc ]]; then # runc does not know the annotation by which podman asks for it
		eq "$(setpriv --reuid 1234 --regid 1234 --groups 1234,4321 "${r[@]:6}" run --rm --network none --group-add keep-groups box id -G | wc -w)" 2
	fi
	"${r[@]}" stop -t 1 c1
	"${r[@]}" rm c1
	printf 'FROM localhost/box\nRUN id -u >/made\n' | "${r[@]}" build -q --network none --isolation oci -t made - >/dev/null
	eq "$("${r[@]}" run --rm --network none made cat /made)" 0
}
rootless_home() {
	mkdir -p /tmp/rootless
	mount -t tmpfs -o mode=0755,uid=1234,gid=1234 home /tmp/rootless
	install -d -o 1234 -g 1234 -m 0700 /tmp/rootless/run
	grep -q ^rootless: /etc/passwd || echo 'rootless:x:1234:1234::/tmp/rootless:/bin/sh' >>/etc/passwd
	grep -q ^rootless: /etc/group || echo 'rootless:x:1234:' >>/etc/group
	grep -q ^rootless: /etc/subuid || echo 'rootless:200000:65536' | tee -a /etc/subuid >>/etc/subgid
	chmod 0644 /tmp/box.tar
	install -d -o 1234 -g 1234 /tmp/rootless/.config /tmp/rootless/.config/containers
	sed 's,^graphroot.*,,; s,^runroot.*,,' /etc/containers/storage.conf >/tmp/rootless/.config/containers/storage.conf
}

it 'nothing is left: processes, groups, state' leftovers core
leftovers() {
	bg c1 "${forever[@]}"
	podman exec c1 true
	local id
	id=$(inspect c1 '{{.Id}}')
	podman rm -f -t 0 c1
	soon 10 no_runtime_processes
	eq "$(find /sys/fs/cgroup -type d -name "*$id*" | head)" '' 'groups left'
	eq "$(find /run -maxdepth 3 -path "*$RT/*" -name "$id*" 2>/dev/null)" '' 'state left'
}
