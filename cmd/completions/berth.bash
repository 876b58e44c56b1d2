# bash completion for berth: "berth __complete" has the candidates.
_berth_files() { # the option of compgen, the word
    local before=${#COMPREPLY[@]}
    mapfile -t -O "$before" COMPREPLY < <(compgen "$1" -- "$2")
    [ "${#COMPREPLY[@]}" = "$before" ] || compopt -o filenames
}

_berth() {
    local line word=${COMP_WORDS[COMP_CWORD]}
    [ "$word" != = ] || word=
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
            :files) _berth_files -f "$word" ;;
            :directories) _berth_files -d "$word" ;;
            *) COMPREPLY+=("${line%%$'\t'*}") ;;
        esac
    done < <("${1/#\~/$HOME}" __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    case ${COMPREPLY[0]-} in
        *: | *=) compopt -o nospace ;; # NAME:PATH and KEY=VALUE go on
    esac
}
complete -F _berth berth
