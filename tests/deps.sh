#!/usr/bin/env bash
# deps.sh WHAT... - installs what a fresh Debian machine lacks for WHAT:
#   build   a C compiler, pkg-config, musl (unless LIBC says otherwise), libseccomp's static library, Go
#   test    what the tests run besides
#   demo    busybox, for a root filesystem, and ps
#   arm64   a C compiler and an emulator for it
#   lint    shellcheck, mandoc, and what arm64 needs
# It looks for files, asks apt only when one is missing, and prints nothing when
# none is. Not as root, or without apt, it says what to install and fails.
set -euo pipefail

packages=()

# need PACKAGE FILE-OR-COMMAND...: any of them will do.
need() {
	local package=$1 thing
	shift
	for thing in "$@"; do
		case $thing in
		/*) compgen -G "$thing" >/dev/null && return ;;
		*) command -v "$thing" >/dev/null && return ;;
		esac
	done
	packages+=("$package")
}

need_build() {
	need gcc gcc
	need pkg-config pkg-config
	[[ ${LIBC:-musl} != musl ]] || need musl-tools musl-gcc
	need libc6-dev '/usr/lib/*/libc.a' /usr/lib/libc.a /usr/lib64/libc.a
	need libseccomp-dev '/usr/lib/*/libseccomp.a' /usr/lib/libseccomp.a /usr/lib64/libseccomp.a
	need ca-certificates /etc/ssl/certs/ca-certificates.crt
	need_go
}

# Any Go from 1.21 on will do: it fetches the version that go.mod names.
need_go() {
	local version
	version=$(GOTOOLCHAIN=local "${GO:-go}" version 2>/dev/null) || version=
	[[ $version =~ go1\.([0-9]+) && ${BASH_REMATCH[1]} -ge 21 ]] || packages+=(golang-go)
}

# Debian's package busybox has a dynamic one, of no use in an empty root.
need_busybox() {
	local path
	path=$(command -v busybox) || path=
	if [[ -z $path ]] || ldd "$path" >/dev/null 2>&1; then packages+=(busybox-static); fi
}

need_test() {
	need_demo
	need git git
	need make make
	need mandoc mandoc
	need zsh zsh
	need fish fish
	need tmux tmux
	need uidmap newuidmap
}

need_demo() {
	need_busybox
	need procps ps
}

need_arm64() {
	need gcc-aarch64-linux-gnu aarch64-linux-gnu-gcc
	need libc6-dev-arm64-cross /usr/aarch64-linux-gnu/lib/libc.a '/usr/lib/aarch64-linux-gnu/libc.a'
	need qemu-user-static qemu-aarch64-static
}

need_lint() {
	need shellcheck shellcheck
	need mandoc mandoc
	need git git
	need musl-tools musl-gcc
	need_arm64
}

# Debian stable's Go may be too old even to fetch another: then backports' is.
install_go() {
	local codename candidate
	# shellcheck source=/dev/null
	codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
	candidate=$(apt-cache policy golang-go | sed -n 's/^ *Candidate: [0-9]*:1\.\([0-9]*\).*/\1/p')
	if [[ -n $candidate && $candidate -ge 21 ]]; then
		packages+=(golang-go)
		return
	fi
	add_backports "$codename"
	apt_install -t "$codename-backports" golang-go
}

# add_backports CODENAME, from the mirror that apt is set up with.
add_backports() {
	local mirror
	# shellcheck disable=SC2016 # apt's own $(...)
	mirror=$(apt-get indextargets --format '$(REPO_URI)' "Codename: $1" | sort -u | grep -v security | head -n 1)
	[[ -n $mirror ]] || die "apt has no source for $1"
	printf 'deb %s %s-backports main\n' "$mirror" "$1" >"/etc/apt/sources.list.d/$1-backports.list"
	apt-get -qq update
}

apt_install() {
	printf 'installing: %s\n' "$*"
	DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 \
		install -y --no-install-recommends "$@" >/dev/null
}

die() {
	printf 'deps.sh: %s\n' "$*" >&2
	exit 1
}

for what in "$@"; do
	case $what in
	build | test | demo | arm64 | lint) "need_$what" ;;
	*) die "unknown: $what" ;;
	esac
done
[[ ${#packages[@]} -gt 0 ]] || exit 0
if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
	die "missing, please install (names as in Debian): ${packages[*]}"
fi
printf 'missing on this machine: %s\n' "${packages[*]}"
apt-get -qq update
wanted=("${packages[@]}")
packages=()
for package in "${wanted[@]}"; do
	if [[ $package == golang-go ]]; then
		install_go
	else
		packages+=("$package")
	fi
done
[[ ${#packages[@]} -eq 0 ]] || apt_install "${packages[@]}"
