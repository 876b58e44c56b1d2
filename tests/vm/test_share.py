"""The host's home in a distro: real boots of a busybox and of a Debian with systemd."""
import os
import signal
import subprocess

import pytest

from conftest import put
from host import eventually

ROOT = "/mnt/host"


@pytest.fixture(scope="module")
def home(host):
    """The host's home, and where the guest has it."""
    path = (host.root / "home").resolve()
    (path / "hello").write_text("from the host\n")
    return path, f"{ROOT}{path}"


@pytest.fixture(scope="module")
def sh(host, busybox):
    def run(script, **options):
        return host("run", "-d", busybox, "--", "sh", "-c", script, **options)
    return run


def servers(keeper):
    """Pids of the berth-share that the process @keeper has started."""
    found = subprocess.run(["pgrep", "-P", str(keeper), "-x", "berth-share"], capture_output=True, text=True)
    return [int(pid) for pid in found.stdout.split()]


@pytest.mark.smoke
def test_the_home_is_there_and_can_be_written(sh, home):
    path, guest = home
    assert sh(f"cat {guest}/hello").stdout == "from the host\n"
    sh(f"mkdir -p {guest}/d && echo from the guest > {guest}/d/file && chmod 600 {guest}/d/file")
    assert (path / "d/file").read_text() == "from the guest\n"
    info = (path / "d/file").stat()
    assert info.st_uid == os.getuid() and info.st_mode & 0o777 == 0o600


def test_an_image_in_the_home_can_be_mounted(host, busybox, home):
    """What "berth --mount --vhd" says to do instead."""
    path, guest = home
    image = path / "disk.img"
    with image.open("wb") as file:
        file.truncate(16 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True, env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"})
    def root(script):
        return host("run", "-d", busybox, "-u", "root", "--", "sh", "-c", f"cd / && {script}").stdout
    assert root(f"mkdir -p /disk && mount -o loop {guest}/disk.img /disk && echo kept >/disk/file && umount /disk") == ""
    assert root(f"mount -o loop,ro {guest}/disk.img /disk && cat /disk/file; umount /disk") == "kept\n"
    check = subprocess.run(["/sbin/e2fsck", "-fn", image], capture_output=True, text=True)
    assert check.returncode == 0, check.stdout
    image.unlink()


def test_it_reads_ahead_in_several_requests(sh):
    device = sh(f"awk '$5 == \"{ROOT}\" {{ print $3 }}' /proc/self/mountinfo").stdout.strip()
    eventually(lambda: sh(f"cat /sys/class/bdi/{device}/read_ahead_kb").stdout == "1024\n", what="the read-ahead")


def test_changes_of_the_host_are_seen(sh, home):
    path, guest = home
    assert sh(f"cat {guest}/changing 2>/dev/null; ls {guest}", check=False).returncode == 0
    for text in ["one\n", "two, which is longer\n", "3\n"]:
        (path / "changing").write_text(text)
        eventually(lambda: sh(f"cat {guest}/changing").stdout == text, what="the host's text")
    (path / "changing").unlink()
    eventually(lambda: sh(f"ls {guest}/changing", check=False).returncode != 0, what="its end")


def test_nothing_else_of_the_host_is_there(sh, home, host):
    path, guest = home
    os.symlink(host.root / "data", path / "out")
    os.symlink("/etc/hostname", path / "theirs")
    assert sh(f"ls {ROOT}{host.root}").stdout.split() == ["home"]
    assert sh(f"ls {guest}/out/", check=False).returncode != 0  # leads to the guest's own root
    assert sh(f"cat {guest}/theirs").stdout == sh("cat /etc/hostname").stdout
    assert sh(f"ls {guest}/../../etc", check=False).returncode != 0


def test_a_killed_server_is_replaced(sh, home, host, busybox):
    path, guest = home
    sh(f"cat {guest}/hello")
    keeper = host.info(busybox)["keeper_pid"]
    (pid,) = servers(keeper)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: servers(keeper) not in ([], [pid]), what="another server")
    eventually(lambda: sh(f"cat {guest}/hello", check=False).stdout == "from the host\n", what="the file")
    (path / "hello").write_text("still followed\n")
    eventually(lambda: sh(f"cat {guest}/hello").stdout == "still followed\n", what="the change")
    (path / "hello").write_text("from the host\n")


def reboot(sh):
    boot_id = "cat /proc/sys/kernel/random/boot_id"
    former = sh(boot_id).stdout
    sh("reboot", check=False)
    eventually(lambda: sh(boot_id, check=False).stdout not in ("", former), what="the next boot")


def test_a_reboot_mounts_it_again(sh, home):
    reboot(sh)
    eventually(lambda: sh(f"cat {home[1]}/hello", check=False).stdout == "from the host\n", what="the file")


def test_the_server_ends_with_the_distro(sh, home, host, busybox):
    sh("true")
    keeper = host.info(busybox)["keeper_pid"]
    eventually(lambda: len(servers(keeper)) == 1, what="the server of this boot")
    (pid,) = servers(keeper)
    host("terminate", busybox)
    eventually(lambda: not os.path.exists(f"/proc/{pid}"), what="the end of the server")


def test_an_isolated_distro_sees_nothing(host, scratch):
    settings = host.root / "config/berth/berth.conf"
    settings.parent.mkdir(exist_ok=True)
    settings.write_text(f"[distro {scratch}]\nisolated=true\n")
    try:
        result = host("run", "-d", scratch, "--", "sh", "-c", f"grep -c fuse.berth /proc/mounts; ls {ROOT}", check=False)
        assert result.stdout == "0\n" and result.returncode != 0
    finally:
        settings.unlink()


@pytest.mark.parametrize("conf, expected", [
    ("[automount]\nenabled=false\n", ""),
    ("[automount]\nroot=/volumes/\n", "/volumes/host"),
    ("[automount]\nroot=/\n", "/host"),
])
def test_wsl_conf_decides(host, scratch, conf, expected):
    put(host, scratch, "/etc/wsl.conf", conf)
    result = host("run", "-d", scratch, "--", "sh", "-c", "awk '$3 == \"fuse.berth\" { print $2 }' /proc/mounts")
    assert result.stdout.strip() == expected
    path = host("path", "-d", scratch, "/", check=False) if expected == "" else \
        host("path", "-d", scratch, host.root / "home")
    assert path.stdout.strip() == (f"{expected}{(host.root / 'home').resolve()}" if expected else "")
    assert expected or "code: path.no-shares" in path.stderr


def test_services_of_systemd_find_it(host, debian, home):
    """Mounted before the distro's services start, and no unit of it fails."""
    path, guest = home
    def run(script, user="root"):
        return host("run", "-d", debian, "-u", user, "--", "sh", "-c", script)
    run("printf '[Unit]\\nDefaultDependencies=no\\nBefore=sysinit.target\\n[Service]\\nType=oneshot\\n"
        f"ExecStart=/bin/cp {guest}/hello /run/copied\\n[Install]\\nWantedBy=sysinit.target\\n' "
        "> /etc/systemd/system/early.service; systemctl enable early.service")
    host("terminate", debian)
    assert run("cat /run/copied").stdout == "from the host\n"
    assert run("systemctl --failed --no-legend").stdout == ""
    assert run("systemctl is-system-running").stdout == "running\n"
    run("systemctl disable early.service; rm /etc/systemd/system/early.service")
    host("terminate", debian)  # in good order: the disk is clean
    disk = host.info(debian)["disk"]
    state = subprocess.run(["/usr/sbin/dumpe2fs", "-h", disk], capture_output=True, text=True).stdout
    assert "needs_recovery" not in state


@pytest.mark.parametrize("name", ["busybox", "debian"])
def test_commands_start_in_the_working_directory(host, home, request, name):
    """Of the default user, of root, and of a user to whom the host's home is closed; and back."""
    distro = request.getfixturevalue(name)
    path, guest = home
    place = path / "src x/ü"
    place.mkdir(parents=True, exist_ok=True)
    run = ["run", "-d", distro]
    assert host(*run, "pwd", cwd=place).stdout == f"{guest}/src x/ü\n"
    assert host("shell", distro, cwd=place, input="pwd\n").stdout == f"{guest}/src x/ü\n"
    assert host(*run, "-u", "root", "pwd", cwd=place).stdout == f"{guest}/src x/ü\n"
    assert host(*run, "touch", f"by {name}", cwd=place).returncode == 0
    assert (place / f"by {name}").exists()
    other = host(*run, "-u", "nobody", "pwd", cwd=place)
    assert f'cannot change to "{guest}/src x/ü": Permission denied' in other.stderr
    elsewhere = host(*run, "pwd", cwd="/")
    assert (elsewhere.stdout, elsewhere.stderr) == (host(*run, "--cd", "~", "pwd").stdout, "")
    assert host("path", "-d", distro, "new", cwd=place).stdout == f"{guest}/src x/ü/new\n"
    assert host("path", "-d", distro, "-w", f"{guest}/new").stdout == f"{path}/new\n"


@pytest.mark.parametrize("name", ["busybox", "debian"])
def test_the_guest_translates_too(host, home, request, name):
    distro = request.getfixturevalue(name)
    path, guest = home
    (path / "src x").mkdir(exist_ok=True)

    def berthpath(*words, user=None, check=True):
        who = ["-u", user] if user else []
        return host("run", "-d", distro, *who, "--", "berthpath", *words, cwd=path / "src x", check=check)
    for user in (None, "root", "nobody"):
        assert berthpath(f"{path}/missing", user=user).stdout == f"{guest}/missing\n"
        assert berthpath("-w", f"{guest}/../{path.name}//", user=user).stdout == f"{path}\n"
    assert berthpath("-w", ".").stdout == f"{path}/src x\n"
    assert berthpath("-am", "new").stdout == f"{path}/src x/new\n"
    assert berthpath("-u", "new").stdout == f"{guest}/src x/new\n"
    link = host("run", "-d", distro, "--", "sh", "-c", f"ln -sfn '{guest}/src x' /tmp/link; berthpath -w /tmp/link/y")
    assert link.stdout == f"{path}/src x/y\n"
    for words in (["-w", "/etc/passwd"], ["/etc/passwd"]):
        refused = berthpath(*words, check=False)
        assert (refused.returncode, refused.stdout) == (1, "") and "berthpath: /etc/passwd" in refused.stderr
    assert berthpath("-x", check=False).returncode == 2


def test_the_guest_has_no_such_command_without_shares(host, scratch):
    put(host, scratch, "/etc/wsl.conf", "[automount]\nenabled=false\n")
    assert host("run", "-d", scratch, "--", "berthpath", "/", check=False).returncode == 127


def test_shares_of_a_running_distro(host, busybox, sh, home):
    """Added and removed while it runs, although the guest has seen that they were not there, or were."""
    live, frozen = host.root / "live", host.root / "live-frozen"
    for directory in live, frozen:
        directory.mkdir(exist_ok=True)
        (directory / "hello").write_text(f"{directory.name}\n")
    assert sh(f"cat {home[1]}/hello; ls {ROOT}/live {ROOT}/frozen {ROOT}", check=False).returncode != 0
    (home[0] / "open").write_text("what nobody has read\n")
    reader = host.spawn("run", "-d", busybox, "--", "sh", "-c",
                        f"exec 3< {home[1]}/open; echo ready; read line; cat <&3 || cat <&3 || echo lost; exec 3<&-; "
                        f"cat {home[1]}/hello", text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert reader.stdout.readline() == "ready\n"
    added = host("share", "add", busybox, str(live), "/live")
    assert "open files of this host stay open" in added.stderr
    host("share", "add", "--read-only", busybox, str(frozen), "/frozen")
    assert sh(f"cat {ROOT}/live/hello {ROOT}/frozen/hello").stdout == "live\nlive-frozen\n"
    sh(f"echo guest > {ROOT}/live/file")
    assert (live / "file").read_text() == "guest\n"
    refused = sh(f"echo guest > {ROOT}/frozen/file", check=False)
    assert refused.returncode != 0 and "Read-only file system" in refused.stderr
    out, _ = reader.communicate("go\n")
    assert out == "what nobody has read\nfrom the host\n"
    assert host("path", "-d", busybox, live).stdout == f"{ROOT}/live\n"
    assert host("run", "-d", busybox, "berthpath", str(live.resolve())).stdout == f"{ROOT}/live\n"

    host("share", "rm", busybox, "/live")
    assert sh(f"test -e {ROOT}/live", check=False).returncode == 1
    assert "live" not in sh(f"ls {ROOT}").stdout.split()
    assert sh(f"cat {ROOT}/frozen/hello").stdout == "live-frozen\n"
    reboot(sh)
    eventually(lambda: sh(f"cat {ROOT}/frozen/hello", check=False).stdout == "live-frozen\n", what="the file")
    host("share", "rm", busybox, "/frozen")


def test_the_first_share_of_a_running_distro(host, scratch):
    """It is there when the command returns, each time."""
    settings = host.root / "config/berth/berth.conf"
    settings.parent.mkdir(exist_ok=True)
    settings.write_text(f"[distro {scratch}]\nshare-home=false\n")
    first = host.root / "first"
    first.mkdir(exist_ok=True)
    (first / "hello").write_text("first\n")
    try:
        assert host("run", "-d", scratch, "--", "ls", ROOT).stdout == ""
        for _ in range(10):
            added = host("share", "add", scratch, f"{first}:/deep/first:ro")
            assert "next start" not in added.stderr
            assert host("run", "-d", scratch, "--", "cat", f"{ROOT}/deep/first/hello").stdout == "first\n"
            host("share", "rm", scratch, "/deep/first")
            assert host("run", "-d", scratch, "--", "ls", ROOT).stdout == ""
    finally:
        settings.unlink()


def test_shares_that_were_added(host, busybox, sh):
    writable, frozen = host.root / "writable", host.root / "frozen"
    for directory in writable, frozen:
        directory.mkdir()
        (directory / "hello").write_text(f"{directory.name}\n")
    host("share", "add", busybox, str(writable), "/work")
    host("share", "add", "--read-only", busybox, str(frozen), "/deep/frozen")
    host("terminate", busybox)
    assert sh(f"cat {ROOT}/work/hello {ROOT}/deep/frozen/hello").stdout == "writable\nfrozen\n"
    sh(f"echo guest > {ROOT}/work/file")
    assert (writable / "file").read_text() == "guest\n"
    refused = sh(f"echo guest > {ROOT}/deep/frozen/file", check=False)
    assert refused.returncode != 0 and "Read-only file system" in refused.stderr
    assert sorted(path.name for path in frozen.iterdir()) == ["hello"]

    host("share", "rm", busybox, "/work")
    frozen.rename(host.root / "elsewhere")
    host("terminate", busybox)
    started = host("start", busybox)
    assert f"{frozen.resolve()} is not shared with {busybox}: No such file" in started.stderr
    assert sh(f"ls {ROOT}/work {ROOT}/deep", check=False).returncode != 0
    assert sh("true").returncode == 0
    host("share", "rm", busybox, "/deep/frozen")
    host("terminate", busybox)
