#!/usr/bin/env bash
# guest.sh - a throw-away QEMU guest for what this machine's own kernel cannot
# test: cgroup v2 with every controller, systemd as PID 1, AppArmor, CRIU,
# rootless with a systemd user session, cgroup v1 as systemd lays it out.
#
#   guest.sh tools                        install QEMU and what make needs
#   guest.sh make                         build kernels and the root image (again: does nothing)
#   guest.sh boot [--kernel trixie|sid|bookworm] [--cgroup v2|hybrid|v1]
#                                         start it in the background, wait until it is ready
#                                         (kernel: trixie for v2, bookworm for v1 and hybrid)
#   guest.sh run [-t] [-C DIR] [-e K=V] CMD...      as root; streams, exits as CMD did
#   guest.sh as-user [same options] CMD...          as `user`, in a delegated systemd user scope
#   guest.sh push SRC DST | pull SRC DST  copy a file or a folder in | out
#   guest.sh status | console             is it up, and as what | its serial console so far
#   guest.sh halt                         power off; everything written inside is lost
#
# The tree around the current folder (git's top level) is at /tare inside,
# read-only, live. Each boot starts from the image as made. No network but a
# loopback-only control port (guestwire.py).
#
# Environment, all optional:
#   GUEST_ARCH          amd64, or arm64 (make: on Linux 6.7 and newer)  (amd64)
#   GUEST_DIR           state folder, one guest each   (/var/lib/tare-guest, /var/lib/tare-guest-arm64)
#   GUEST_SHARE         folder to show as /tare        (git top level, or .)
#   GUEST_MEM GUEST_CPUS  MiB and cores                (4096, 2)
#   GUEST_APPEND        more kernel command line
#   GUEST_EXTRA         more packages for make        (none; with a GUEST_DIR of their own)
#   GUEST_KERNELS       kernels for make              (trixie sid bookworm; arm64: trixie)
#   GUEST_BOOT_TIMEOUT  seconds boot waits             (300)
#   GUEST_TIMEOUT       seconds one run may take       (600)
#   GUEST_LIFE          seconds until the guest is ended, whatever happens (7200)
set -euo pipefail

GUEST_ARCH=${GUEST_ARCH:-amd64}
native=/var/lib/tare-guest
case $GUEST_ARCH in
amd64)
	qemu_system=qemu-system-x86_64 qemu_package=qemu-system-x86 console=ttyS0
	machine=(-machine 'q35,memory-backend=mem' -cpu max)
	GUEST_DIR=${GUEST_DIR:-$native} native=$GUEST_DIR
	GUEST_KERNELS=${GUEST_KERNELS:-trixie sid bookworm}
	;;
arm64)
	qemu_system=qemu-system-aarch64 qemu_package=qemu-system-arm console=ttyAMA0
	machine=(-machine 'virt,gic-version=3,memory-backend=mem' -cpu neoverse-n1) # max: pointer authentication is slow
	GUEST_DIR=${GUEST_DIR:-$native-arm64}
	GUEST_KERNELS=${GUEST_KERNELS:-trixie}
	;;
*)
	printf 'guest.sh: GUEST_ARCH is amd64 or arm64\n' >&2
	exit 1
	;;
esac
GUEST_TIMEOUT=${GUEST_TIMEOUT:-600}
self=$(readlink -f "$0")
wire=${self%/*}/guestwire.py
rundir=${GUEST_RUN:-$GUEST_DIR/run}
agent_port=7777 # inside the guest

# Guest packages beside debootstrap's minbase set.
packages=(systemd systemd-sysv libpam-systemd dbus dbus-user-session udev kmod
	python3 iproute2 iptables jq crun runc criu libcriu2 apparmor secilc uidmap bpftool
	libseccomp2 libcap2-bin procps strace busybox-static keyutils
	virtiofsd cpio xz-utils zstd)
read -ra extra <<<"${GUEST_EXTRA:-}"
packages+=("${extra[@]}")

# Debian suites whose cloud kernel is unpacked. trixie's and sid's are built
# without the cgroup v1 memory and cpuset controllers; bookworm's 6.1 has them.
read -ra kernels <<<"$GUEST_KERNELS"

say() { printf 'guest.sh: %s\n' "$*" >&2; }
die() {
	say "$@"
	exit 1
}

# shellcheck source=tests/guest/foreign.sh
. "${self%/*}/foreign.sh"

# ---------------------------------------------------------------------- make

# shellcheck source=/dev/null
codename() { (. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}"); }

# The Debian mirror that this machine's own apt is set up with.
mirror() {
	# shellcheck disable=SC2016 # apt's own $(...)
	apt-get indextargets --format '$(REPO_URI)' "Codename: $(codename)" | sort -u | grep -v security | head -n 1
}

# QEMU 10 or newer: 7.2's `-cpu max` makes newer kernels oops. trixie has one,
# bookworm's backports have one.
qemu_is_new() { "$qemu_system" --version 2>/dev/null | grep -qE 'version ([1-9][0-9])\.'; }

install_qemu() {
	local from=()
	! qemu_is_new || return 0
	if [[ $(codename) == bookworm ]]; then
		from=(-t bookworm-backports)
		printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s bookworm-backports main\n' \
			"$(mirror)" >/etc/apt/sources.list.d/bookworm-backports.list
	fi
	say "installing QEMU"
	apt-get -qq update
	DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends \
		"${from[@]}" "$qemu_package" qemu-utils >/dev/null 2>&1 || die "QEMU could not be installed"
	qemu_is_new || die "QEMU here is too old: $("$qemu_system" --version | head -n 1)"
}

install_tools() {
	local want=()
	command -v debootstrap >/dev/null || want+=(debootstrap)
	command -v mke2fs >/dev/null || want+=(e2fsprogs)
	command -v python3 >/dev/null || want+=(python3-minimal)
	[[ $GUEST_ARCH == amd64 ]] || command -v qemu-aarch64-static >/dev/null || want+=(qemu-user-static)
	[[ ${#want[@]} -eq 0 ]] && return
	apt-get -qq update
	DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "${want[@]}" >/dev/null
}

in_root() {
	local enter=() proc='-t proc proc'
	[[ -z ${foreign_pid:-} ]] || enter=(in_foreign) proc='--rbind /proc' # its pid namespace is not its own
	# /proc is mounted in a mount namespace of its own, so it goes with the command.
	# shellcheck disable=SC2016 # expanded by the inner shell
	"${enter[@]}" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
		unshare --mount --propagation private sh -c \
		'mount $1 "$0/proc" && shift && exec chroot "$0" "$@"' "$root" "$proc" "$@"
}

bootstrap() {
	case $GUEST_ARCH in
	amd64) debootstrap --variant=minbase trixie "$root" "$1" ;;
	*) bootstrap_foreign "$1" ;;
	esac
}

make_root() {
	say "debootstrap trixie"
	local url
	url=$(mirror)
	[[ -n $url ]] || die "cannot tell the Debian mirror: apt has no source for $(codename)"
	rm -rf "$root"
	mkdir -p "$root"
	bootstrap "$url" >"$GUEST_DIR/debootstrap.log" 2>&1 ||
		die "debootstrap failed: see $GUEST_DIR/debootstrap.log"
	# Services must not be started in the chroot.
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod 755 "$root/usr/sbin/policy-rc.d"
	printf 'force-unsafe-io\n' >"$root/etc/dpkg/dpkg.cfg.d/guest"
	printf 'path-exclude=/usr/share/doc/*\npath-exclude=/usr/share/man/*\npath-exclude=/usr/share/locale/*\n' \
		>>"$root/etc/dpkg/dpkg.cfg.d/guest"
	say "installing the guest's packages"
	in_root apt-get -qq install -y --no-install-recommends "${packages[@]}" \
		>"$GUEST_DIR/packages.log" 2>&1 || die "apt-get failed: see $GUEST_DIR/packages.log"
	rm "$root/usr/sbin/policy-rc.d"
	# The kernels: their packages are unpacked, not installed, so that no hook
	# builds an initramfs of its own. The others' come from more package lists.
	# (A mirror's sid may be some weeks behind: its signature counts, not its date.)
	local suite
	for suite in "${kernels[@]}"; do
		printf 'deb [check-valid-until=no] %s %s main\n' "$url" "$suite"
	done >"$root/etc/apt/sources.list"
	printf 'Package: *\nPin: release n=%s\nPin-Priority: 1\n\n' sid bookworm >"$root/etc/apt/preferences.d/kernels"
	in_root apt-get -qq update
	for suite in "${kernels[@]}"; do
		make_kernel "$suite"
	done
	in_root apt-get clean
	rm -rf "$root"/var/lib/apt/lists/* "$root/etc/apt/preferences.d/kernels"
}

# make_kernel SUITE: modules into the root, kernel and initramfs into $GUEST_DIR.
make_kernel() {
	local suite=$1 pkg pkgs ver dir=$GUEST_DIR/kernel-$1 tmp src f
	pkg=$(in_root apt-cache show "linux-image-cloud-$GUEST_ARCH/$suite" 2>/dev/null |
		sed -n 's/^Depends:.*\(linux-image-[^ ,]*cloud-'"$GUEST_ARCH"'\).*/\1/p' | head -n 1)
	[[ -n $pkg ]] || die "no cloud kernel in $suite"
	ver=${pkg#linux-image-}
	say "kernel $ver from $suite"
	tmp=$root/tmp/kernel
	rm -rf "$tmp" "$dir"
	mkdir -p "$tmp" "$dir"
	# Newer packages are split: the image one depends on linux-{base,binary,modules}-$ver.
	pkgs=$(in_root apt-cache show "$pkg" | sed -n 's/^Depends: //p' | tr -s "[:blank:]," "\n" |
		grep -E '^linux-(base|binary|modules)-[0-9]' | sort -u | tr '\n' ' ' || true)
	in_root sh -c "cd /tmp/kernel && apt-get -qq -o APT::Sandbox::User=root download $pkg $pkgs &&
		for d in *.deb; do dpkg-deb -x \$d .; done"
	mkdir -p "$root/usr/lib/modules"
	for src in "$tmp/usr/lib/modules/$ver" "$tmp/lib/modules/$ver"; do
		[[ ! -d $src ]] || mv "$src" "$root/usr/lib/modules/"
	done
	for f in vmlinuz config; do # newer packages have these beside the modules
		for src in "$tmp/boot/$f-$ver" "$root/usr/lib/modules/$ver/$f"; do
			[[ ! -f $src ]] || cp "$src" "$dir/$f"
		done
	done
	cp "$dir/config" "$root/boot/config-$ver" # where tools look for it
	rm -f "$root/usr/lib/modules/$ver"/{vmlinuz,System.map}
	printf '%s\n' "$ver" >"$dir/version"
	in_root depmod "$ver"
	make_initrd "$ver"
	mv "$tmp/initrd.img" "$dir/initrd.img"
	rm -rf "$tmp"
}

# The smallest initramfs that can mount the root: busybox and a few modules in
# the order modprobe would load them, unpacked (busybox's insmod cannot).
make_initrd() {
	# shellcheck disable=SC2016 # expanded inside the chroot
	in_root sh -euc '
		ver=$1
		d=/tmp/kernel/initrd
		mkdir -p $d/bin $d/dev $d/proc $d/sys $d/root $d/m
		cp /usr/bin/busybox $d/bin/busybox
		n=100
		for m in virtio_pci virtio_blk virtio_net ext4; do
			modprobe -S "$ver" --show-depends -a $m | sed -n "s/^insmod \([^ ]*\).*/\1/p"
		done | awk "!seen[\$0]++" | while read -r f; do
			n=$((n + 1))
			o=$d/m/$n-$(basename "$f" | sed "s/\.ko.*//").ko
			case $f in
			*.xz) xz -dc "$f" >"$o" ;;
			*.zst) zstd -qdc "$f" >"$o" ;;
			*.gz) gzip -dc "$f" >"$o" ;;
			*) cp "$f" "$o" ;;
			esac
		done
		cat >$d/init <<-"E"
			#!/bin/busybox sh
			/bin/busybox mount -t devtmpfs dev /dev
			for m in /m/*.ko; do /bin/busybox insmod $m || echo "initrd: $m failed"; done
			n=0
			until [ -b /dev/vda ]; do
				n=$((n + 1))
				[ $n -lt 200 ] || { echo "initrd: no /dev/vda"; /bin/busybox poweroff -f; }
				/bin/busybox usleep 50000
			done
			/bin/busybox mount -t ext4 /dev/vda /root || /bin/busybox poweroff -f
			/bin/busybox mount --move /dev /root/dev
			exec /bin/busybox switch_root /root /usr/lib/systemd/systemd
		E
		chmod 755 $d/init
		cd $d && find . | cpio -o -H newc --quiet >/tmp/kernel/initrd.img
	' sh "$1"
}

# What makes the unpacked root a guest: user, agent, delegation, no needless services.
configure_root() {
	say "configuring the guest"
	printf 'guest\n' >"$root/etc/hostname"
	printf '127.0.0.1 localhost guest\n::1 localhost\n' >"$root/etc/hosts"
	: >"$root/etc/fstab"
	: >"$root/etc/resolv.conf"
	printf '0123456789abcdef0123456789abcdef\n' >"$root/etc/machine-id"
	in_root passwd -q -d root
	in_root id -u user >/dev/null 2>&1 || in_root useradd -m -u 1000 -s /bin/bash user
	# Loading Debian's hundred stock profiles takes longer than the rest of the
	# boot; a test loads its own with apparmor_parser.
	find "$root/etc/apparmor.d" -maxdepth 1 -type f -delete
	printf 'user:100000:65536\n' | tee "$root/etc/subuid" >"$root/etc/subgid"
	mkdir -p "$root/var/lib/systemd/linger" "$root/usr/local/lib/tare" "$root/tare" \
		"$root/etc/systemd/system/user@.service.d"
	: >"$root/var/lib/systemd/linger/user"
	printf '[Service]\nDelegate=yes\n' >"$root/etc/systemd/system/user@.service.d/delegate.conf"
	install -m 755 "$wire" "$root/usr/local/lib/tare/guestwire.py"
	# The token is made anew at each boot and comes in on the kernel command line.
	cat >"$root/usr/local/lib/tare/setup" <<-'E'
		#!/bin/sh
		# Runs once at boot, before the agent.
		umask 077
		tr ' ' '\n' </proc/cmdline | sed -n 's/^tare\.token=//p' >/run/tare.token
		ip link set lo up
		ip addr add 10.0.2.15/24 dev eth0 && ip link set eth0 up || echo "tare: no network" >/dev/console
		mount -t virtiofs -o ro tare /tare || echo "tare: no /tare" >/dev/console
	E
	chmod 755 "$root/usr/local/lib/tare/setup"
	cat >"$root/etc/systemd/system/tare-agent.service" <<-E
		[Unit]
		Description=control channel of guest.sh
		After=systemd-udevd.service local-fs.target
		[Service]
		ExecStartPre=/usr/local/lib/tare/setup
		ExecStart=/usr/bin/python3 /usr/local/lib/tare/guestwire.py serve $agent_port /run/tare.token
		KillMode=process
		Delegate=yes
		TasksMax=infinity
		OOMPolicy=continue
		[Install]
		WantedBy=multi-user.target
	E
	in_root systemctl -q enable tare-agent.service
	in_root systemctl -q set-default multi-user.target
	# Emulated, every service costs: no coldplug (what is needed is built in or
	# loaded by the initramfs), no timers, no network management, no consoles.
	local units=(apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer
		e2scrub_all.timer e2scrub_reap.service fstrim.timer systemd-tmpfiles-clean.timer
		systemd-udev-trigger.service systemd-udev-load-credentials.service
		systemd-networkd.service systemd-networkd.socket systemd-network-generator.service
		systemd-networkd-wait-online.service systemd-networkd-persistent-storage.service
		systemd-timesyncd.service systemd-random-seed.service systemd-binfmt.service
		systemd-machine-id-commit.service systemd-firstboot.service systemd-update-utmp.service
		systemd-journal-flush.service systemd-pstore.service systemd-hwdb-update.service
		systemd-journal-catalog-update.service systemd-update-done.service ldconfig.service
		modprobe@drm.service modprobe@efi_pstore.service modprobe@configfs.service
		sys-kernel-config.mount getty.target getty@tty1.service serial-getty@ttyS0.service)
	in_root systemctl -q mask "${units[@]}"
	touch "$root/etc/.updated" "$root/var/.updated"
}

make_image() {
	say "making the root image"
	rm -f "$GUEST_DIR/root.img.part"
	truncate -s 6G "$GUEST_DIR/root.img.part"
	# Files go in as mke2fs makes the file system: no loop device, no mount.
	mke2fs -q -F -t ext4 -m 0 -L guest -E lazy_itable_init=1,root_owner=0:0 -d "$root" "$GUEST_DIR/root.img.part"
	mv "$GUEST_DIR/root.img.part" "$GUEST_DIR/root.img"
}

# Anything that changes what make builds changes this, so make knows when to redo what.
root_key() { declare -f bootstrap make_root make_kernel make_initrd | cat - <(printf '%s\n' "${packages[@]}") | sha256sum | cut -c1-16; }
image_key() { declare -f configure_root make_image | cat - "$wire" <(root_key) | sha256sum | cut -c1-16; }

have() { [[ -f $GUEST_DIR/$1.key && $(<"$GUEST_DIR/$1.key") == "$2" ]]; }

cmd_tools() {
	[[ $EUID -eq 0 ]] || die "needs root"
	[[ $(uname -m) == x86_64 ]] || die "only made for x86_64 machines"
	command -v apt-get >/dev/null || die "needs Debian's apt"
	install_tools
	install_qemu
}

cmd_make() {
	cmd_tools
	# It has the file server that runs here.
	[[ $GUEST_ARCH == amd64 ]] || env -u GUEST_DIR -u GUEST_RUN -u GUEST_KERNELS -u GUEST_EXTRA GUEST_ARCH=amd64 "$self" make
	mkdir -p "$GUEST_DIR"
	exec 9>"$GUEST_DIR/make.lock"
	flock -w 1200 9 || die "another make is running"
	root=$GUEST_DIR/root
	if have image "$(image_key)" && [[ -f $GUEST_DIR/root.img ]]; then
		return
	fi
	! running || die "halt the guest first: its image must be made anew"
	rm -f "$GUEST_DIR/image.key"
	if ! have root "$(root_key)"; then
		rm -f "$GUEST_DIR/root.key"
		make_root
		root_key >"$GUEST_DIR/root.key"
	elif [[ $GUEST_ARCH != amd64 ]]; then
		enter_foreign
	fi
	configure_root
	make_image
	image_key >"$GUEST_DIR/image.key"
	say "made: $(du -sh "$GUEST_DIR/root.img" | cut -f1) image, kernels $(cat "$GUEST_DIR"/kernel-*/version | tr '\n' ' ')"
}

# ---------------------------------------------------------------------- boot

# Is the QEMU that we started (not another process with its number) alive?
running() {
	local pid
	[[ -f $rundir/pid ]] || return 1
	pid=$(<"$rundir/pid")
	[[ -n $pid && -r /proc/$pid/cmdline ]] || return 1
	tr '\0' '\n' <"/proc/$pid/cmdline" | grep -qxF "file=$rundir/disk.qcow2,if=none,id=root,cache=unsafe,discard=unmap"
}

console_tail() {
	say "the console's end:"
	tail -n 40 "$rundir/console.log" >&2 || true
}

free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

wire() { # wire SECONDS [options] -- CMD...
	local limit=$1
	shift
	python3 "$wire" call "$(<"$rundir/port")" "$rundir/token" "$limit" "$@"
}

cmd_boot() {
	local kernel='' cgroup=v2 append port share began qemu pid
	while [[ $# -gt 0 ]]; do
		case $1 in
		--kernel) kernel=${2:-} && shift 2 ;;
		--cgroup) cgroup=${2:-} && shift 2 ;;
		*) die "boot: unknown argument $1" ;;
		esac
	done
	if [[ -z $kernel ]]; then
		[[ $cgroup == v2 ]] && kernel=trixie || kernel=bookworm
	fi
	[[ -f $GUEST_DIR/kernel-$kernel/vmlinuz && -f $GUEST_DIR/root.img ]] ||
		die "no kernel '$kernel' or no image: run 'guest.sh make'"
	case $cgroup in
	v2) append='systemd.unified_cgroup_hierarchy=1' ;;
	hybrid) append='systemd.unified_cgroup_hierarchy=0 systemd.legacy_systemd_cgroup_controller=0 SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1' ;;
	v1) append='systemd.unified_cgroup_hierarchy=0 systemd.legacy_systemd_cgroup_controller=1 SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1' ;;
	*) die "boot: --cgroup is v2, hybrid or v1" ;;
	esac
	! running || die "a guest is already up in $GUEST_DIR: halt it first"
	share=${GUEST_SHARE:-$(git rev-parse --show-toplevel 2>/dev/null || pwd)}
	rm -rf "$rundir"
	mkdir -p "$rundir"
	chmod 700 "$rundir"
	qemu-img create -q -f qcow2 -F raw -b "$GUEST_DIR/root.img" "$rundir/disk.qcow2"
	port=$(free_port)
	printf '%s\n' "$port" >"$rundir/port"
	head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$rundir/token"
	# shellcheck disable=SC2054 # QEMU's own commas
	qemu=("$qemu_system" -nodefaults -no-user-config -no-reboot -display none
		"${machine[@]}" -accel "tcg,thread=multi,tb-size=512"
		-smp "${GUEST_CPUS:-2}" -m "${GUEST_MEM:-4096}"
		-kernel "$GUEST_DIR/kernel-$kernel/vmlinuz" -initrd "$GUEST_DIR/kernel-$kernel/initrd.img"
		-append "console=$console quiet panic=-1 mitigations=off net.ifnames=0 audit=0 systemd.show_status=false $append tare.token=$(<"$rundir/token") ${GUEST_APPEND:-}"
		-serial "file:$rundir/console.log"
		-drive "file=$rundir/disk.qcow2,if=none,id=root,cache=unsafe,discard=unmap"
		-device virtio-blk-pci,drive=root
		-device virtio-rng-pci
		-netdev "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:$port-:$agent_port"
		-device "virtio-net-pci,netdev=net,romfile="
		-object "memory-backend-memfd,id=mem,size=${GUEST_MEM:-4096}M,share=on"
		-chardev "socket,id=tare,path=$rundir/share.sock"
		-device vhost-user-fs-pci,chardev=tare,tag=tare)
	began=$SECONDS
	# virtiofsd is the (native) guest image's own (bookworm has none), run with that image's
	# loader and libraries. It ends when QEMU hangs up.
	# setsid: a ^C meant for the caller is not the guest's.
	setsid timeout --kill-after=5 "${GUEST_LIFE:-7200}" \
		"$native/root/lib64/ld-linux-x86-64.so.2" --library-path "$native/root/usr/lib/x86_64-linux-gnu" \
		"$native/root/usr/libexec/virtiofsd" --socket-path "$rundir/share.sock" --shared-dir "$share" \
		--readonly --sandbox none --rlimit-nofile 0 --cache auto </dev/null >"$rundir/virtiofsd.log" 2>&1 &
	for _ in {1..50}; do
		[[ ! -S $rundir/share.sock ]] || break
		sleep 0.1
	done
	printf '%s\n' "$!" >"$rundir/share.pid"
	setsid timeout --kill-after=5 "${GUEST_LIFE:-7200}" "${qemu[@]}" -pidfile "$rundir/pid" \
		</dev/null >"$rundir/qemu.log" 2>&1 &
	for _ in {1..100}; do
		[[ ! -s $rundir/pid ]] || break
		sleep 0.1
	done
	printf '%s %s %s\n' "$kernel" "$cgroup" "$share" >"$rundir/how"
	# A try made before the guest has its address can hang: a short limit, many tries.
	until timeout 5 python3 "$wire" call "$port" "$rundir/token" 5 -- true </dev/null >/dev/null 2>&1; do
		running || {
			cat "$rundir/qemu.log" >&2
			console_tail
			end_share
			die "the guest ended while booting"
		}
		if ((SECONDS - began > ${GUEST_BOOT_TIMEOUT:-300})); then
			console_tail
			cmd_halt
			die "the guest was not ready after ${GUEST_BOOT_TIMEOUT:-300} s"
		fi
		sleep 0.3
	done
	# Reachable; now until systemd has no jobs left and the user's session is up.
	# shellcheck disable=SC2016 # expanded in the guest
	wire 120 -- sh -c 'systemctl is-system-running --wait >/run/tare.state
		n=0; until [ -S /run/user/1000/bus ] || [ $n -gt 200 ]; do sleep 0.1; n=$((n+1)); done
		[ -S /run/user/1000/bus ]' </dev/null || {
		wire 20 -- sh -c 'cat /run/tare.state; systemctl --failed --no-legend; systemctl list-jobs' </dev/null >&2 || true
		console_tail
		die "the guest is up but not ready (left running; 'guest.sh halt' ends it)"
	}
	say "up after $((SECONDS - began)) s: kernel $(<"$GUEST_DIR/kernel-$kernel/version"), cgroup $cgroup, /tare is $share"
}

# Ends the file server of a guest that is gone (it ends by itself when QEMU does,
# but not when QEMU never came).
end_share() {
	local pid
	pid=$(cat "$rundir/share.pid" 2>/dev/null || true)
	[[ -n $pid && -r /proc/$pid/cmdline ]] || return 0
	tr '\0' '\n' <"/proc/$pid/cmdline" | grep -qxF "$rundir/share.sock" || return 0
	kill -TERM "$pid" 2>/dev/null || true
}

cmd_halt() {
	local pid
	if ! running; then
		end_share
		say "no guest is up"
		return
	fi
	pid=$(<"$rundir/pid")
	# Nothing inside is kept, so it need not shut down in order.
	kill -TERM "$pid" 2>/dev/null || true
	for _ in {1..50}; do
		running || break
		sleep 0.1
	done
	! running || kill -KILL "$pid" 2>/dev/null || true
	end_share
	rm -f "$rundir/disk.qcow2" "$rundir/pid"
}

# --------------------------------------------------------------- run and copy

up() { running || die "no guest is up: run 'guest.sh boot'"; }

# in_guest [-u USER] [-t] [-C DIR] [-e K=V] CMD...
in_guest() {
	local opts=()
	while [[ $# -gt 0 ]]; do
		case $1 in
		-t) opts+=(-t) && shift ;;
		-u | -C | -e) opts+=("$1" "${2:-}") && shift 2 ;;
		--) shift && break ;;
		-*) die "unknown option $1" ;;
		*) break ;;
		esac
	done
	up
	[[ $# -gt 0 ]] || die "no command"
	wire "$GUEST_TIMEOUT" "${opts[@]}" -- "$@"
}

# shellcheck disable=SC2016 # the inner commands are expanded in the guest
cmd_push() {
	[[ $# -eq 2 && -e $1 ]] || die "push SRC DST: SRC must exist"
	local mode
	mode=$(stat -Lc %a "$1")
	if [[ -d $1 ]]; then
		tar -C "$1" -cf - . | in_guest sh -c 'mkdir -p "$1" && tar -C "$1" --no-same-owner -xpf -' sh "$2"
	else
		in_guest sh -c 'mkdir -p "$(dirname "$1")" && cat >"$1.part" && chmod "$2" "$1.part" && mv "$1.part" "$1"' \
			sh "$2" "$mode" <"$1"
	fi
}

# shellcheck disable=SC2016
cmd_pull() {
	[[ $# -eq 2 ]] || die "pull SRC DST"
	if in_guest test -d "$1" </dev/null; then
		mkdir -p "$2"
		in_guest tar -C "$1" -cf - . </dev/null | tar -C "$2" --no-same-owner -xpf -
	else
		mkdir -p "$(dirname "$2")"
		in_guest cat "$1" </dev/null >"$2.part" || { rm -f "$2.part"; return 1; }
		mv "$2.part" "$2"
	fi
}

cmd_status() {
	if running; then
		printf 'up: pid %s, port %s, kernel/cgroup/share: %s\n' "$(<"$rundir/pid")" "$(<"$rundir/port")" "$(<"$rundir/how")"
	else
		printf 'down\n'
		return 3
	fi
}

case ${1:-} in
tools) cmd_tools ;;
make) shift && cmd_make "$@" ;;
boot) shift && cmd_boot "$@" ;;
run) shift && in_guest "$@" ;;
as-user) shift && in_guest -u user "$@" ;;
push) shift && cmd_push "$@" ;;
pull) shift && cmd_pull "$@" ;;
status) cmd_status ;;
console) cat "$rundir/console.log" ;;
halt) cmd_halt ;;
*)
	sed -n '2,/^set -e/{/^set -e/d;s/^# \{0,1\}//;p}' "$self" >&2
	exit 2
	;;
esac
