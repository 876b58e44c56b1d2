"""Developer tools, each once: the kernel has the features, and the agent's sessions do not interfere."""
import pytest


@pytest.fixture(scope="module")
def sh(devel):
    devel.sh("""
        id worker 2>/dev/null || useradd --create-home --shell /bin/bash worker
        echo 'worker ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/worker
        install -d -o worker -g worker /run/tools""")
    devel.sh("""
        ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/id_ed25519
        cp ~/.ssh/id_ed25519.pub ~/.ssh/authorized_keys
        echo 'StrictHostKeyChecking accept-new' >~/.ssh/config""", user="worker", timeout=60)
    return devel.sh


def test_everything_came_up(sh):
    assert sh("systemctl --failed --no-legend --plain; systemctl is-system-running") == "running\n"


def test_apt_upgrades_the_whole_image(sh):
    """Including systemd: its scripts re-execute PID 1 under the session that runs them."""
    sh("""
        export DEBIAN_FRONTEND=noninteractive
        apt-get -q -o Acquire::Languages=none update
        apt-get -q -y full-upgrade
        apt-get -q -y install --reinstall systemd""", timeout=600)
    assert sh("dpkg --audit; systemctl is-system-running") == "running\n"


def test_sudo(sh):
    assert sh("sudo -n id -un; sudo -n -u nobody id -un", user="worker") == "root\nnobody\n"


def test_ping(sh):
    assert " 0% packet loss" in sh("ping -c 2 -i 0.2 -W 10 10.0.2.2", user="worker")


def test_ssh_localhost(sh):
    assert sh("ssh localhost 'echo $SSH_CONNECTION; id -un'", user="worker").split()[-1] == "worker"
    assert "/dev/pts/" in sh("ssh -tt localhost tty </dev/null", user="worker")


def test_strace(sh):
    assert 'openat(AT_FDCWD, "/etc/hostname"' in sh("strace -f cat /etc/hostname 2>&1", user="worker")


def test_gdb(sh):
    out = sh("gdb -q -batch -ex 'catch syscall write' -ex run -ex bt -ex 'info registers rip' --args echo hello 2>&1",
             user="worker")
    assert "(call to syscall write)" in out and "write ()" in out and "rip " in out


def test_perf_stat(devel, sh):
    assert ",task-clock," in sh("perf stat -x , -e task-clock -- true 2>&1")
    if "no counters" not in sh("[ -e /sys/bus/event_source/devices/cpu/events/cycles ] || echo no counters"):
        assert ",cycles," in sh("perf stat -x , -e cycles -- true 2>&1")


def test_fuse(sh):
    out = sh("""
        mkdir -p ~/there
        sshfs localhost:/usr/lib ~/there
        cmp ~/there/os-release /usr/lib/os-release
        findmnt -n -o FSTYPE ~/there
        fusermount3 -u ~/there""", user="worker")
    assert out == "fuse.sshfs\n"


def test_loop_mount(sh):
    out = sh("""
        cd /run/tools
        truncate -s 32M ext4
        mkfs.ext4 -q ext4
        mkdir loop
        mount ext4 loop
        echo kept >loop/file
        umount loop
        mount -o ro ext4 loop
        cat loop/file
        umount loop
        losetup -a""")
    assert out == "kept\n"


def test_btrfs(sh):
    out = sh("""
        cd /run/tools
        truncate -s 128M btrfs
        mkfs.btrfs -q btrfs >/dev/null
        mkdir pool
        mount -o compress=zstd btrfs pool
        btrfs -q subvolume create pool/one
        echo first >pool/one/file
        btrfs -q subvolume snapshot pool/one pool/two
        echo second >pool/one/file
        cat pool/two/file pool/one/file
        btrfs scrub start -Bq pool
        umount pool""")
    assert out == "first\nsecond\n"


def test_wireguard_between_two_namespaces(sh):
    out = sh("""
        cd /run/tools
        umask 077
        for side in 1 2; do
            wg genkey >key$side
            wg pubkey <key$side >public$side
            ip netns add side$side
            ip link add wg$side type wireguard
            ip link set wg$side netns side$side
        done
        for side in 1 2; do
            other=$((3 - side))
            ip netns exec side$side wg set wg$side listen-port 5182$side private-key key$side \
                peer $(cat public$other) allowed-ips 10.9.0.0/24 endpoint 127.0.0.1:5182$other
            ip -n side$side address add 10.9.0.$side/24 dev wg$side
            ip -n side$side link set wg$side up
        done
        ip netns exec side1 ping -c 2 -i 0.2 -W 10 10.9.0.2
        ip netns exec side2 wg show wg2 latest-handshakes | grep -qv '[[:space:]]0$' # a time, once there was one
        ip -all netns delete""")
    assert "0% packet loss" in out


def test_nft(sh):
    out = sh("""
        nft -f - <<END
        table inet tools {
            set ports { type inet_service; flags interval; elements = { 9000-9010 } }
            chain input { type filter hook input priority 0; iif lo tcp dport @ports counter reject with tcp reset; }
        }
END
        ! curl -s --max-time 20 http://127.0.0.1:9005/
        nft list table inet tools
        nft delete table inet tools""")
    assert "packets 1" in out


def test_iptables_is_nft(sh):
    out = sh("""
        iptables --version
        iptables -w -t nat -A OUTPUT -d 192.0.2.1 -p tcp -m multiport --dports 80,443 -m comment --comment tools \
            -j DNAT --to-destination 127.0.0.1:22
        curl -s --http0.9 --max-time 20 http://192.0.2.1/ | head -c 4 || true
        iptables -w -t nat -D OUTPUT -d 192.0.2.1 -p tcp -m multiport --dports 80,443 -m comment --comment tools \
            -j DNAT --to-destination 127.0.0.1:22""")
    assert "nf_tables" in out and out.endswith("SSH-")


def test_unshare_without_root(sh):
    assert sh("unshare -r id -u; unshare -rnpf --mount-proc ps -e -o comm=", user="worker").split() == ["0", "ps"]


def test_nspawn(sh, devel, busybox_tar):
    devel.host("run", "-d", devel.name, "-u", "root", "--", "sh", "-c", "mkdir -p /srv/tree && tar -x -C /srv/tree",
               input=busybox_tar, text=False)
    out = sh("systemd-nspawn -q --pipe -D /srv/tree -M inner sh -c 'hostname; ps -o pid,comm' </dev/null")
    assert out.split()[0] == "inner" and "systemd" not in out


def test_swap_on_zram(sh):
    out = sh("""
        echo 64M >/sys/block/zram0/disksize
        mkswap -q /dev/zram0
        swapon -p 100 /dev/zram0
        cat /proc/swaps
        swapoff /dev/zram0
        echo 1 >/sys/block/zram0/reset""")
    assert "/dev/zram0" in out


def test_binfmt_misc(sh):
    out = sh("""
        echo ':tools:E::tools::/bin/cat:' >/proc/sys/fs/binfmt_misc/register
        echo by-cat >/run/tools/program.tools
        chmod +x /run/tools/program.tools
        /run/tools/program.tools
        echo -1 >/proc/sys/fs/binfmt_misc/tools""")
    assert out == "by-cat\n"


def test_limits_of_inotify_are_fit_for_editors(sh):
    watches, instances = map(int, sh("cd /proc/sys/fs/inotify && cat max_user_watches max_user_instances").split())
    assert watches >= 524288 and instances >= 1024


def test_many_connections_can_be_tracked(sh):
    assert int(sh("cat /proc/sys/net/netfilter/nf_conntrack_max")) >= 65536
