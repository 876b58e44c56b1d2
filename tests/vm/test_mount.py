"""`berth mount` of real distros, as whoever runs the tests: a Debian and a busybox, with nothing installed for it."""
import errno
import hashlib
import os
import shutil
import stat
import subprocess
import threading

import fuse
import pytest

from host import eventually

pytestmark = fuse.marks()

MIB = 1 << 20
WORKER = {"busybox": "echo worker:x:4321:4321::/home/worker:/bin/sh >>/etc/passwd; echo worker:x:4321: >>/etc/group; "
                     "mkdir -p /home/worker; chown 4321:4321 /home/worker",
          "debian": "useradd --create-home --uid 4321 --shell /bin/sh worker"}


@pytest.fixture(scope="module", params=["busybox", "debian"])
def distro(request, host):
    name = f"mount-{request.param}"
    host("import", "--no-user", name, os.environ[f"BERTH_TEST_{request.param.upper()}"])
    host("run", "-d", name, "-u", "root", "--", "sh", "-ec", WORKER[request.param])
    yield name
    host("unregister", name)


class Mount:
    """A mount of @name on a directory of its own, as the user worker."""

    def __init__(self, host, name, directory, *options):
        self.host, self.name, self.root = host, name, directory
        directory.mkdir()
        host("mount", "-u", "worker", *options, name, directory)
        self.home = directory / "home/worker"

    def sh(self, script, user="worker"):
        return self.host("run", "-d", self.name, "-u", user, "--", "sh", "-ec", f"cd /home/worker; {script}").stdout

    def close(self):
        self.host("umount", "--lazy", self.root, check=False)


@pytest.fixture
def mount(distro, host, tmp_path):
    host("start", distro)
    made = Mount(host, distro, tmp_path / "mnt")
    yield made
    made.close()


def error_of(call):
    """The errno with which @call fails; it may not hang."""
    result = []

    def run():
        try:
            call()
        except OSError as problem:
            result.append(problem.errno)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(timeout=60)
    assert not thread.is_alive(), "it hangs"
    return result[0] if result else None


def test_files(mount):
    data = os.urandom(5 * MIB + 321)
    (mount.home / "from host").write_bytes(data)
    assert mount.sh("sha256sum <'from host'").split()[0] == digest(data)
    assert mount.sh("stat -c %u:%g 'from host'") == "4321:4321\n"
    info = (mount.home / "from host").stat()
    assert (info.st_uid, info.st_gid) == (os.getuid(), os.getgid())
    mount.sh("head -c 3000000 /dev/urandom >theirs; ln -s theirs link; ln theirs other")
    assert digest((mount.home / "link").read_bytes()) == mount.sh("sha256sum <theirs").split()[0]
    assert (mount.home / "other").stat().st_nlink == 2
    os.rename(mount.home / "theirs", mount.home / "from host")
    os.unlink(mount.home / "link")
    assert sorted(mount.sh("ls").split("\n"))[1:] == sorted(name for name in os.listdir(mount.home)
                                                            if not name.startswith("."))


def digest(data):
    return hashlib.sha256(data).hexdigest()


def test_permissions(mount):
    mount.sh("mkdir -m 700 /root/own; echo secret >/root/own/file; chmod 711 /root", user="root")
    assert error_of(lambda: (mount.root / "root/own/file").read_text()) == errno.EACCES
    assert error_of(lambda: (mount.root / "etc/new").touch()) == errno.EACCES
    assert not os.access(mount.root / "etc/passwd", os.W_OK)
    assert (mount.root / "etc/passwd").stat().st_uid == (0 if os.getuid() else 4321)  # exchanged with the user
    mount.close()
    mount.host("mount", "-u", "root", mount.name, mount.root)
    (mount.root / "root/own/file").write_text("changed")
    assert mount.sh("cat /root/own/file", user="root") == "changed"


def test_tools_work_in_it(mount):
    home = mount.home
    subprocess.run(["git", "init", "-q", home / "repository"], check=True)
    for number in range(20):
        (home / f"repository/file {number}").write_text(str(number))
    git = ["git", "-C", home / "repository", "-c", "user.name=x", "-c", "user.email=x@y"]
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "one"], check=True)
    assert subprocess.run([*git, "status", "--short"], check=True, capture_output=True).stdout == b""
    subprocess.run(["cp", "-a", home / "repository", home / "copy"], check=True)
    subprocess.run(["diff", "-r", home / "repository", home / "copy"], check=True)
    shutil.rmtree(home / "copy")
    assert "copy" not in mount.sh("ls")


def test_large_directories_and_files(mount):
    mount.sh("mkdir many; cd many; i=0; while [ $i -lt 5000 ]; do : >$i; i=$((i + 1)); done")
    assert sorted(os.listdir(mount.home / "many")) == sorted(str(number) for number in range(5000))
    with os.scandir(mount.home / "many") as entries:
        assert all(entry.is_file() and entry.stat().st_size == 0 for entry in entries)
    with open(mount.home / "large", "wb") as file:
        file.seek(5 << 30)
        file.write(b"end")
    assert mount.sh("tail -c 3 large; stat -c %s large") == f"end{(5 << 30) + 3}\n"
    data = os.urandom(16 * MIB)
    (mount.home / "data").write_bytes(data)
    mount.sh("cat data >copy")
    assert (mount.home / "copy").read_bytes() == data


def test_changes_of_the_distro_are_seen(mount):
    (mount.home / "file").write_text("one")
    assert not (mount.home / "new").exists()
    mount.sh("echo two, longer >file; : >new")
    assert (mount.home / "file").read_text() == "two, longer\n"
    assert (mount.home / "new").exists()
    mount.sh("rm new")
    eventually(lambda: not (mount.home / "new").exists())


def test_a_restart(mount):
    (mount.home / "file").write_text("text")
    mount.host("terminate", mount.name)
    assert error_of(lambda: os.listdir(mount.root)) == errno.ENOTCONN
    assert stat.S_ISDIR(mount.root.stat().st_mode)
    mount.host("start", mount.name)
    assert (mount.home / "file").read_text() == "text"
    mount.host("terminate", "--force", mount.name)
    assert error_of(lambda: (mount.home / "other").write_text("x")) == errno.ENOTCONN
    mount.host("umount", mount.root)
    assert os.listdir(mount.root) == []


def test_a_mount_in_the_home_that_the_distro_is_shown(distro, host):
    """A request there would wait for the guest, and the guest for the request."""
    directory = (host.root / "home").resolve() / f"own-{distro}"
    host("start", distro)
    mount = Mount(host, distro, directory)
    try:
        here = f"/mnt/host{directory}"
        walks = f"for i in 1 2 3 4 5 6 7 8; do find {here} {here}/. -maxdepth 4 >/dev/null 2>&1 & done; wait; ls {here}/etc"
        result = host("run", "-d", distro, "-u", "root", "--", "sh", "-c", walks, check=False)
        assert result.returncode != 0 and "remote" in result.stderr
        assert directory.name in mount.sh(f"echo {os.path.dirname(here)}/*", user="root")
        assert "worker" in os.listdir(directory / "home")
        host("terminate", distro, "--grace", "3600")
        assert host.info(distro)["state"] == "stopped"
    finally:
        mount.close()


def test_an_access_starts_the_distro(distro, host, tmp_path):
    host("terminate", distro, check=False)
    mount = Mount(host, distro, tmp_path / "mnt", "--start")
    try:
        assert host.info(distro)["state"] == "stopped"
        assert "worker" in os.listdir(mount.root / "home")
        assert host.info(distro)["state"] == "running"
    finally:
        mount.close()
