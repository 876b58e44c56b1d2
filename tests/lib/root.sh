# Sourced by scripts that work in another root file system: functions to unpack and to enter it.
#
# The root is entered with pivot_root, since a process in a chroot cannot make the user namespaces that berth-net and
# berth-image live in. That takes a mount namespace, which only root may make in its own right; any other user gets it
# in a user namespace with the ids of /etc/subuid. All mounts end with the namespace, and its first process is bash,
# which reaps what tests leave behind.

# in_namespace FLAG... -- COMMAND...: run as root, with all ids that a root file system uses.
in_namespace() {
    (exec_in_namespace "$@")
}

# The same in place of this shell. With & behind it, $! is then the process whose end ends the namespace (--kill-child).
exec_in_namespace() {
    local ids=(--user --map-root-user --map-auto)
    [ "$(id -u)" != 0 ] || ids=()
    exec unshare "${ids[@]}" "$@"
}

# unpack_root ARCHIVE DIRECTORY: make the directory, with the name servers of this host.
unpack_root() {
    mkdir "$2"
    zstd -dcq "$1" | tar -x -p --numeric-owner --exclude './dev/*' -C "$2"
    rm -f "$2/etc/resolv.conf"
    cp -L /etc/resolv.conf "$2/etc/resolv.conf"
    printf '127.0.0.1 localhost\n::1 localhost\n' >"$2/etc/hosts"
}

# enter_root DIRECTORY: it is / from here on.
enter_root() {
    mount --bind "$1" "$1"
    mount -t proc proc "$1/proc"
    mount --rbind /dev "$1/dev"
    mount --rbind /sys "$1/sys"
    cd "$1"
    pivot_root . .
    umount -l .
    cd /
}
