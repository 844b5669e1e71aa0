# bash completion for tare. Made from the definitions of its commands: edit those.

# TABLES
# _tare_ids ROOT STATUS...: containers below the state root ("" is the usual one), of these statuses or any.
_tare_ids() {
	local global=() id status
	[[ -z $1 ]] || global=(--root "$1")
	shift
	while read -r id _ status _; do
		[[ $# -eq 0 || " $* " == *" $status "* ]] && printf '%s\n' "$id"
	done < <("${COMP_WORDS[0]/#\~/$HOME}" "${global[@]}" list 2>/dev/null | tail -n +2)
}

# _tare_offer ROOT CURRENT WHAT...: fills COMPREPLY.
_tare_offer() {
	local root=$1 current=$2 words=''
	shift 2
	case ${1:-} in
	choice) words="${*:2}" ;;
	commands | signals) words=$(_tare_words "$1") ;;
	ids) words=$(_tare_ids "$root" "${@:2}") ;;
	dir)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$current")
		return
		;;
	file)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	logs)
		compopt -o filenames -o nospace
		mapfile -t COMPREPLY < <(compgen -f -- "$current"; compgen -W 'file: journald: syslog:' -- "$current")
		return
		;;
	*) return ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

# _tare_typed: the words before the cursor, one a line, the last being the one at the cursor. bash takes what
# has a = or a : in it for several.
_tare_typed() {
	local line=${COMP_LINE:0:COMP_POINT} part word='' first=1
	for part in "${COMP_WORDS[@]:0:COMP_CWORD}"; do
		if [[ -z $first && $line == [[:space:]]* ]]; then
			printf '%s\n' "$word"
			word=''
		fi
		line=${line#"${line%%[![:space:]]*}"}
		line=${line#"$part"}
		word+=$part
		first=''
	done
	if [[ $line == [[:space:]]* ]]; then
		printf '%s\n' "$word"
		word=''
	fi
	printf '%s\n' "$word${line#"${line%%[![:space:]]*}"}"
}

_tare() {
	local typed=() word name what command=tare root='' operands=0 ended='' pending='' current piece i
	COMPREPLY=()
	mapfile -t typed < <(_tare_typed)
	current=${typed[-1]}
	for word in "${typed[@]:1:${#typed[@]}-2}"; do
		if [[ -n $pending ]]; then
			[[ $pending != 'tare root' ]] || root=${word/#\~/$HOME}
			pending=''
		elif [[ -z $ended && $word == -- ]]; then
			ended=1
		elif [[ -z $ended && $word == -?* ]]; then
			name=${word#-}
			name=${name#-}
			if [[ $name == *=* ]]; then
				[[ "$command ${name%%=*}" != 'tare root' ]] || root=${name#*=} root=${root/#\~/$HOME}
			elif [[ -n $(_tare_value "$command" "$name") ]]; then
				pending="$command $name"
			fi
		elif [[ $command == tare ]]; then
			command=$word
		else
			operands=$((operands + 1))
			# From here on options are those of the container's program.
			case $command in exec | ps | kill | plan) ended=1 ;; esac
		fi
	done
	if [[ -n $pending ]]; then
		what=$(_tare_value "${pending% *}" "${pending#* }")
	elif [[ -z $ended && $current == -*=* ]]; then
		name=${current%%=*}
		name=${name#-}
		what=$(_tare_value "$command" "${name#-}")
		current=${current#*=}
	elif [[ -z $ended && $current == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_tare_options "$command")" -- "$current")
		return
	else
		what=$(_tare_operand "$command" "$operands")
	fi
	# shellcheck disable=SC2086 # words
	_tare_offer "$root" "$current" $what
	# bash puts a reply in the place of the last part of the word.
	piece=${COMP_WORDS[COMP_CWORD]}
	[[ $piece != [=:] ]] || piece=''
	for i in "${!COMPREPLY[@]}"; do
		COMPREPLY[i]=${COMPREPLY[i]#"${current%"$piece"}"}
	done
}

complete -F _tare tare
