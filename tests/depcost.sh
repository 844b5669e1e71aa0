#!/usr/bin/env bash
# depcost.sh - what each dependency costs, for docs/DEPENDENCIES.md: its code and data
# in the binary (from the symbol table), and what its packages do before main on each
# start (GODEBUG=inittrace=1; the smallest of 20 runs). Then the whole binary: size,
# page faults and memory of `tare --version`.
set -euo pipefail
cd "$(dirname "$0")/.."

GO=${GO:-go}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# As `make` builds it, but with symbols.
make -s STRIP= bin/tare && mv bin/tare "$dir/tare"
make -s bin/tare

# The modules linked in; tare's own and the standard library as two more.
"$GO" version -m "$dir/tare" | awk '$1 == "dep" { print $2, $3 }' >"$dir/modules"

# Symbols: address size type name. libseccomp and libc are the C symbols, which
# have no dot. (Types d, b: b takes no room in the file.)
"$GO" tool nm -size "$dir/tare" 2>/dev/null | awk 'NF >= 4 && $3 !~ /[bBU]/ { print $2, $4 }' >"$dir/symbols"
for _ in {1..20}; do GODEBUG=inittrace=1 "$dir/tare" --version 2>&1 >/dev/null | grep '^init '; done >"$dir/inits"

awk -v modules="$dir/modules" -v inits="$dir/inits" '
	function owner(name,    m, best) {
		best = ""
		for (m in version) if (index(name, m) == 1 && length(m) > length(best)) best = m
		if (best != "") return best
		if (name ~ /^(type:\.?[a-z]*\.)?(go:|type:|runtime\.)/) return "(Go runtime and types)"
		if (name ~ /^tare[\/.]|^main\./) return "tare"
		if (name ~ /^seccomp_|^_?(db_|arch_|gen_|sys_|hash|x86_|arm|aarch64|mips|ppc|s390|riscv|loongarch|parisc|m68k|sh_)/) return "libseccomp (C)"
		if (name !~ /\./) return "libc and cgo (C)"
		return "(standard library)"
	}
	BEGIN {
		while ((getline line < modules) > 0) { split(line, f, " "); version[f[1]] = f[2] }
		while ((getline line < inits) > 0) {
			# init PKG @0.1 ms, 0.01 ms clock, 123 bytes, 4 allocs
			split(line, f, " ")
			if (!(f[2] in least) || f[5] < least[f[2]]) least[f[2]] = f[5]
		}
		for (p in least) { o = owner(p "."); if (o !~ /^tare$|module/ && index(p, ".") == 0 && p !~ /^tare/) o = "(standard library)"; ms[o] += least[p]; n[o]++ }
	}
	{ size[owner($2)] += $1 }
	END {
		for (o in size) printf "%9.0f %6d %9.3f  %s %s\n", size[o] / 1024, n[o], ms[o], o, version[o]
	}' "$dir/symbols" | sort -nr | (printf '%9s %6s %9s  %s\n' KiB inits 'init ms' module && cat)

printf '\nbin/tare: '
stat -c '%s bytes' bin/tare
if [[ -x /usr/bin/time ]]; then
	/usr/bin/time -f 'tare --version: %R minor faults, %M KiB at most, status %x' bin/tare --version >/dev/null
fi
