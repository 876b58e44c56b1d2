# Sourced by what runs suites: a build, and the suites in it.
#
# $here is the source tree, $builds the directory that holds the builds. A failure sets $failed; each suite adds
# its log to $logs, for summary.py.

# prepare BUILD CC OPTION...
prepare() {
    local build=$builds/$1 compiler=$2
    shift 2
    [ -e "$build/build.ninja" ] ||
        CC=$compiler meson setup "$build" "$here" >/dev/null
    meson configure "$build" -Dwerror=true "$@"
    ninja -C "$build" | grep -v '^\[' || true
    ninja -C "$build" >/dev/null || failed=yes
}

# suite BUILD NAME: run one suite in one build. What its tests leave in files is in $work, where there
# is one, and goes with it.
suite() {
    local build=$builds/$1 name=$2
    printf '\n--- %s in %s\n' "$name" "$1"
    PYTEST_ADDOPTS="${work:+--basetemp=$work/pytest}" \
        meson test -C "$build" --no-rebuild --suite "$name" --print-errorlogs --logbase "$name" || failed=yes
    logs+=("$build/meson-logs/$name.json")
}
