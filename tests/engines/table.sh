#!/usr/bin/env bash
# table.sh OUT DOC - rewrites the part of DOC between its two marks with a table of every case
# and runtime, from the OUT/RUNTIME-SUITE.tsv files of full runs. What was not run, a runtime or a suite
# on it, keeps what DOC says of it.
set -euo pipefail
out=$1 doc=$2
runtimes=(tare runc crun)
suites=(docker containerd cri crio podman)

# recover RUNTIME COLUMN: makes the files of what was not run from the runtime's column in DOC.
recover() {
	local s missing=' '
	for s in "${suites[@]}"; do [[ -f $out/$1-$s.tsv ]] || missing+="$s "; done
	[[ -f $out/$1.version ]] || missing+='version '
	awk -F ' *[|] *' -v out="$out/$1" -v c="$2" -v missing="$missing" '
		function is(what) { return index(missing, " " what " ") }
		/^<!-- results -->/ { on = 1 } /^<!-- end of results -->/ { on = 0 }
		!on { next }
		/^\| engine / { if (is("version")) print $(c + 1) >(out ".version"); next }
		/^### / { suite = substr($0, 5); next }
		suite != "" && is(suite) && /^\| / && $2 != "case" && $2 !~ /^---/ && $(c + 1) != "—" {
			v = $(c + 1); status = v == "pass" ? "pass" : v ~ /^skip/ ? "skip" : "fail"
			sub(/^skip: /, "", v)
			printf "%s\t%s\t%s\t0\t%s\n", status, suite, $2, v >(out "-" suite ".tsv")
		}' "$doc"
}
for i in "${!runtimes[@]}"; do
	recover "${runtimes[i]}" $((i + 2))
done

# rows SUITE: the titles of the suite's cases, in their order.
rows() { cat "$out"/{tare,runc,crun}-"$1".tsv 2>/dev/null | awk -F '\t' '!seen[$3]++ { print $3 }'; }
# cell RUNTIME SUITE TITLE
cell() {
	[[ -f $out/$1-$2.tsv ]] || { echo '—'; return; }
	awk -F '\t' -v t="$3" '$3 == t { s = $1; r = $5 } END { print s == "pass" ? "pass" : s == "" ? "—" : s == "skip" ? "skip: " r : "**fail**" }' "$out/$1-$2.tsv"
}
count() { # RUNTIME SUITE
	[[ -f $out/$1-$2.tsv ]] || { echo '—'; return; }
	awk -F '\t' '{ n[$1]++ } END { printf "%d of %d%s\n", n["pass"], NR - n["skip"], n["skip"] ? sprintf(" (%d skipped)", n["skip"]) : "" }' "$out/$1-$2.tsv"
}
version() { # RUNTIME
	cat "$out/$1.version" 2>/dev/null || true
}

table() {
	local suite title r
	printf 'Kernel %s, cgroups: %s.' "$(uname -r)" "$(cat "$out/cgroup" 2>/dev/null || echo unknown)"
	[[ ! -f $out/engines.version ]] || printf ' %s.' "$(tr '\n' ',' <"$out/engines.version" | sed 's/,$//; s/,/, /g')"
	printf '\n\n| engine |'
	for r in "${runtimes[@]}"; do printf ' %s |' "$(version "$r")"; done
	printf '\n| --- | --- | --- | --- |\n'
	for suite in "${suites[@]}"; do
		printf '| %s |' "$suite"
		for r in "${runtimes[@]}"; do printf ' %s |' "$(count "$r" "$suite")"; done
		printf '\n'
	done
	for suite in "${suites[@]}"; do
		printf '\n### %s\n\n| case | tare | runc | crun |\n| --- | --- | --- | --- |\n' "$suite"
		rows "$suite" | while IFS= read -r title; do
			printf '| %s |' "${title//|/\\|}"
			for r in "${runtimes[@]}"; do printf ' %s |' "$(cell "$r" "$suite" "$title")"; done
			printf '\n'
		done
	done
}

body=$(table)
awk -v body="$body" '/^<!-- results -->/ { print; print body; skip = 1 } /^<!-- end of results -->/ { skip = 0 } !skip' "$doc" >"$doc.new"
mv "$doc.new" "$doc"
