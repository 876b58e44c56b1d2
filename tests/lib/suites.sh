# Sourced by scripts that run suites: functions to prepare a build and to run suites in it.
#
# $here is the source tree, $builds the directory that holds the builds. A failure sets $failed; each suite adds
# its log to $logs, for summary.py.

# prepare BUILD: build berth there, as its name says. What is for users is optimized as it is for them.
prepare() {
    local build=$builds/$1 compiler=cc
    local -a options=(-Dwerror=true)
    case $1 in
        build) options+=(${kernel:+"-Dkernel=$kernel"}) ;;
        build-clang) compiler=clang options+=(-Doptimization=0 -Ddebug=false) ;; # for what it warns of, and unit
        build-asan) options+=(-Db_sanitize=address,undefined -Db_lundef=false) ;;
    esac
    if [ -e "$build/build.ninja" ]; then
        meson configure "$build" "${options[@]}"
    else
        CC=$compiler meson setup "$build" "$here" "${options[@]}" >/dev/null
    fi
    ninja -C "$build" | grep -v '^\[' || true
    ninja -C "$build" >/dev/null || failed=yes
}

# suite BUILD NAME: run one suite in one build. Its tests' files are in $work, if that is set, apart from those of other
# suites, which may run beside it, and are removed with it.
suite() {
    local build=$builds/$1 name=$2
    printf '\n--- %s in %s\n' "$name" "$1"
    PYTEST_ADDOPTS="${work:+--basetemp=$work/$name}" \
        meson test -C "$build" --no-rebuild --suite "$name" --print-errorlogs --logbase "$name" || failed=yes
    logs+=("$build/meson-logs/$name.json")
}
