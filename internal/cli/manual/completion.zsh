#compdef tare
# zsh completion for tare. Made from the definitions of its commands: edit those.

# _tare_ids STATUS...: containers below the state root, of these statuses or any.
_tare_ids() {
	local line
	local -a lines fields found global
	[[ -z $tare_root ]] || global=(--root $tare_root)
	lines=(${(f)"$(_call_program containers ${(q)tare_program} ${(q)global} list 2>/dev/null)"})
	for line in $lines[2,-1]; do
		fields=(${=line})
		(( $# == 0 || ${argv[(Ie)$fields[3]]} )) && found+=("${fields[1]//:/\\:}:$fields[3] $fields[4]")
	done
	_describe -t containers container found
}

_tare_signals() {
	local -a names=(SIGNALS)
	_wanted signals expl signal compadd -M 'm:{a-z}={A-Z}' -a names
}

_tare_logs() {
	_alternative 'files:file:_files' 'kinds:kind:compadd -S "" file\: journald\: syslog\:'
}

_tare_commands() {
	local -a all=(
		# COMMANDS
	)
	_describe -t commands command all
}

_tare() {
	local context state state_descr line expl ret=1
	local tare_program=${(Q)words[1]} tare_root
	typeset -A opt_args
	_arguments -C -s -S \
		# OPTIONS
		'1: :_tare_commands' \
		'*:: :->rest' && ret=0
	[[ $state == rest ]] || return ret
	tare_root=${(Q)opt_args[--root]}
	case $words[1] in
	# CASES
	esac
	return ret
}

_tare "$@"
