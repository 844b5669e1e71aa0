# fish completion for tare. Made from the definitions of its commands: edit those.

# __tare_takes COMMAND OPTION: whether the option takes a value, which may be the next word.
function __tare_takes
    switch $argv[1]
        # TAKES
        case '*'
            return 1
    end
end

# __tare_line: what was typed so far, as lines: command, number of its arguments, whether its options have
# ended, the state root.
function __tare_line
    set -l words (commandline -opc)
    set -e words[1]
    set -l command tare
    set -l count 0
    set -l ended no
    set -l root ''
    set -l option ''
    for word in $words
        if test -n "$option"
            test "$command$option" = tare--root; and set root $word
            set option ''
        else if test $ended = no; and test "$word" = --
            set ended yes
        else if test $ended = no; and string match -qr -- '^-.' "$word"
            set -l name (string replace -r -- '=.*' '' "$word")
            if test "$name" != "$word"
                test "$command$name" = tare--root; and set root (string replace -r -- '^[^=]*=' '' "$word")
            else if __tare_takes $command $name
                set option $name
            end
        else if test $command = tare
            set command $word
        else
            set count (math $count + 1)
            # From here on options are those of the container's program.
            contains -- $command exec ps kill plan; and set ended yes
        end
    end
    printf '%s\n' $command $count $ended $root
end

# __tare_options COMMAND: its options can come next.
function __tare_options
    set -l line (__tare_line)
    test "$line[1]" = $argv[1]; and test "$line[3]" = no
end

# __tare_operand COMMAND NUMBER: its argument of that number, counted from 0, comes next.
function __tare_operand
    set -l line (__tare_line)
    test "$line[1]" = $argv[1]; and test "$line[2]" = $argv[2]
end

# __tare_ids STATUS...: containers below the state root, of these statuses or any.
function __tare_ids
    set -l line (__tare_line)
    set -l program (commandline -opc)[1]
    set -l root
    test -n "$line[4]"; and set root --root $line[4]
    for row in ($program $root list 2>/dev/null)[2..-1]
        set -l field (string split -n ' ' -- $row)
        if test (count $argv) -eq 0; or contains -- $field[3] $argv
            printf '%s\t%s\n' $field[1] "$field[3] $field[4]"
        end
    end
end

function __tare_signals
    printf '%s\n' SIGNALS | string split ' '
end

complete -c tare -f
