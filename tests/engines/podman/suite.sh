# shellcheck shell=bash
# Podman and buildah: conmon between them and the runtime.

configure() {
	mkdir -p /etc/containers/containers.conf.d
	shipped podman/tare.conf "$RT" >/etc/containers/containers.conf.d/tare.conf
	cat >/etc/containers/containers.conf <<-END
		[engine]
		cgroup_manager = "cgroupfs"
		events_logger = "file"
		[containers]
		log_driver = "k8s-file"
		default_ulimits = ["nofile=1000:2000", "nproc=1000:2000"]
	END
	printf '[storage]\ndriver = "overlay"\nrunroot = "/run/containers/storage"\ngraphroot = "/var/lib/containers/storage"\n' >/etc/containers/storage.conf
	printf '{"default": [{"type": "insecureAcceptAnything"}]}\n' >/etc/containers/policy.json
	echo 'unqualified-search-registries = []' >/etc/containers/registries.conf
}

up() {
	# shellcheck source=tests/engines/image.sh
	. /suite/image.sh
	configure
	image_archive /tmp/box.tar localhost/box:latest '["/bin/sh"]'
	podman load -i /tmp/box.tar
	podman info
}
export PODMAN_IGNORE_CGROUPSV1_WARNING=1

reset() {
	podman pod rm -af -t 0
	podman rm -af -t 0
	podman volume prune -f
	podman network prune -f
}

run() { podman run --rm "$@"; }
bg() { local name=$1; shift; podman run -d --name "$name" "$@" >/dev/null; }
# shellcheck disable=SC2034 # for the cases
forever=(box sh -c 'trap "exit 0" TERM; while :; do sleep 1; done')
inspect() { podman inspect -f "$2" "$1"; }
pid() { inspect "$1" '{{.State.Pid}}'; }
status() { inspect "$1" '{{.State.Status}}'; }
ns() { readlink "/proc/$1/ns/$2"; }
