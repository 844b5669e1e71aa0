#!/usr/bin/env bash
# lint.sh - gofmt, go vet, staticcheck, shellcheck, the generated manual pages and completions,
# and the C sources with warnings as errors. Everything is looked at before it fails.
# (shellcheck's SC2317 takes functions called through another for dead; SC2016
# doubts every text in single quotes that another shell or a template is to read.)
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

GO=${GO:-go}
tags=${TAGS:-netgo,osusergo}
bad=0

# check TITLE CMD...: quiet unless it fails.
check() {
	local title=$1 out
	shift
	if out=$("$@" 2>&1); then
		printf 'ok    %s\n' "$title"
	else
		printf 'FAIL  %s\n%s\n' "$title" "$out"
		bad=1
	fi
}

files() { git ls-files -co --exclude-standard -- "$@" | while read -r f; do [[ ! -f $f ]] || printf '%s\n' "$f"; done; }

check_gofmt() {
	local unformatted
	unformatted=$(files '*.go' | xargs -r gofmt -s -l)
	[[ -z $unformatted ]] || { printf '%s\n' "$unformatted"; return 1; }
}

# Every module of the tree; some only pin tools. (A list that fails is vet's to show.)
modules() { files '*go.mod' | xargs -rn1 dirname; }

has_packages() {
	local list
	list=$(cd "$1" && "$GO" list ./... 2>/dev/null) || return 0
	[[ -n $list ]]
}

vet() { (cd "$1" && "$GO" vet -tags "$tags" ./...); }

vet_arm64() { tests/arm64.sh "$GO" vet -tags "$tags" ./...; }

staticcheck() {
	local bin=$PWD/out/tools/staticcheck
	(cd tests/tools && "$GO" build -o "$bin" honnef.co/go/tools/cmd/staticcheck) || return
	(cd "$1" && "$bin" -tags "$tags" ./...)
}

shell_scripts() {
	files '*.sh' .ci/run
	files | grep -vE '\.(sh|go|c|h|md|json|py)$' | while read -r f; do
		! head -c 64 "$f" | head -n 1 | grep -qaE '^#!.*\b(ba|da)?sh\b' || printf '%s\n' "$f"
	done
}

check_shell() { shell_scripts | sort -u | xargs -r shellcheck -x -e SC2016,SC2317; }

# Manual pages and completions, as they are generated.
check_generated() {
	local share
	share=$(mktemp -d) || return
	"$GO" run -tags "$tags" ./internal/cli/manual -out "$share" -date 2000-01-01 -version 0 &&
		mandoc -T lint -W style "$share"/man/man8/*.8 &&
		shellcheck -s bash "$share/bash-completion/completions/tare"
	local status=$?
	rm -rf "$share"
	return "$status"
}

# check_c COMPILER: what is in the binary may not even shadow a name; what only
# measures may cut a path short that does not fit.
check_c() {
	local f more bad=0
	for f in $(files '*.c'); do
		more=-Wshadow
		[[ $f != tests/* ]] || more=-Wno-format-truncation
		"$@" -std=gnu11 -Os -Wall -Wextra -Wvla -Werror "$more" -I"$(dirname "$f")" -c -o /dev/null "$f" || bad=1
	done
	return "$bad"
}

check gofmt check_gofmt
for m in $(modules); do
	has_packages "$m" || continue
	check "go vet $m" vet "$m"
	check "staticcheck $m" staticcheck "$m"
done
check 'go vet for arm64' vet_arm64
check shellcheck check_shell
check 'manual pages, completions' check_generated
check 'C, glibc' check_c gcc
check 'C, musl' check_c musl-gcc -idirafter /usr/include -idirafter "/usr/include/$(gcc -print-multiarch)"
check 'C, arm64' check_c aarch64-linux-gnu-gcc
exit "$bad"
