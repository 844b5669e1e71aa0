#!/usr/bin/env bash
# arm64.sh CMD... - runs CMD (a go command) set up to compile for arm64 with C.
# The headers and the static library of arm64's libseccomp are taken from Debian's
# package into out/arm64, with apt lists of its own: the machine's stay as they are.
set -euo pipefail

dir=$(cd "$(dirname "$0")/.." && pwd)/out/arm64
triplet=aarch64-linux-gnu

fetch() {
	local apt=(apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures::=arm64
		-o "Dir::State::lists=$dir/lists" -o Dir::State::status=/dev/null
		-o "Dir::Cache::archives=$dir/archives" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
		-o APT::Sandbox::User=root)
	rm -rf "$dir"
	mkdir -p "$dir/lists/partial" "$dir/archives/partial"
	(
		cd "$dir"
		"${apt[@]}" update
		"${apt[@]}" download libseccomp-dev
		dpkg-deb -x libseccomp-dev_*.deb sysroot
	) >&2
	rm -rf "$dir/lists" "$dir/archives"
}

if [[ $(uname -m) != aarch64 ]]; then
	[[ -f $dir/sysroot/usr/lib/$triplet/libseccomp.a ]] || fetch
	export CGO_CFLAGS="${CGO_CFLAGS:--Os} -I$dir/sysroot/usr/include"
	export CGO_LDFLAGS="-L$dir/sysroot/usr/lib/$triplet"
fi
export GOARCH=arm64 CGO_ENABLED=1 CC=$triplet-gcc
exec "$@"
