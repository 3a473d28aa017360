# What RADICAL-Pilot's bootstrapper (`bootstrap_0.sh`, which has read `radical-utils-env.sh` and its own functions when it
# reads these lines) does for nobody before it starts the agent. pip is started twice to print its version, all of
# RADICAL-Pilot is imported to print theirs, and a time server is asked for, by name and by `ping`: 10 s where a node has
# no way out.
verify_install() { :; }
ping() { return 1; }
dig() { return 1; }

# Write the shell lines that set an environment up: the same as RADICAL-Pilot's, which starts a dozen processes for each
# variable, and does so for three environments: 4 s of a start.
deeprc_prep() {
    local src= rem= tgt= tmp= OPTIND OPTARG OPTION
    while getopts "s:r:t:" OPTION; do
        case $OPTION in
            s) src=$OPTARG ;;
            r) rem=$OPTARG ;;
            t) tgt=$OPTARG ;;
            *) return 1 ;;
        esac
    done
    if [ -z "$src" ]; then
        echo "missing 'src' -- prepare env from current env"
        src=$(mktemp) && tmp=$src
        env_dump -t "$src"
    fi
    src_keys=$(deeprc_keys < "$src")
    [ -z "$rem" ] || rem_keys=$(deeprc_keys < "$rem") # kept, as there: the next call without any takes these
    LC_ALL=C awk -v removed="$rem_keys" -v kept="$src_keys" -v black="$BLACKLIST" '
        function replace(text, old, new,    out, at) {
            while (at = index(text, old)) {
                out = out substr(text, 1, at - 1) new
                text = substr(text, at + length(old))
            }
            return out text
        }
        { at = index($0, "="); if (at) value[substr($0, 1, at - 1)] = substr($0, at + 1) }
        END {
            if (n = split(removed, key, " ")) print "\n# unset"
            for (i = 1; i <= n; i++) if (!(key[i] in value)) print "unset \047" key[i] "\047"
            if (n = split(black, key, " ")) print "\n# blacklist"
            for (i = 1; i <= n; i++) { out[key[i]]; print "unset \047" key[i] "\047" }
            print "\n# export"
            n = split(kept, key, " ")
            for (i = 1; i <= n; i++) {
                name = key[i]; text = value[name]
                if (name in out) continue
                if (name !~ /^BASH_FUNC_.+(\(\)|%%)$/) {
                    print "export " name "=\"" replace(text, "\"", "\\\"") "\""
                    continue
                }
                name = substr(name, 11, length(name) - 12)
                if (at = index(text, "{ ")) text = substr(text, 1, at) "\n" substr(text, at + 2)
                functions = name " " text "\nexport -f " name "\n\n" functions
            }
            print ""
            if (functions) print "# functions\n" replace(functions, "\\n", "\n")
            print "\n# end"
        }' "$src" > "$tgt"
    [ -z "$tmp" ] || rm -f "$tmp"
}

deeprc_keys() { grep -e '^[A-Za-z_][A-Za-z_0-9]*\(()\|%%\)\?=' | cut -f1 -d= | sort | tr '\n' ' '; }

if [ -n "$BASH_VERSION" ]; then
    env_prep() { deeprc_prep "$@"; }
    eval "$(declare -f create_deactivate | grep -v 'radical-utils-env.sh')" # which would bring theirs back
    eval "$(declare -f rehash | grep -v 'PIP version')"
fi
