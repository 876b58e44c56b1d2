"""`berth cp` into and out of distros: a Debian and a busybox, in which nothing is installed for it."""
import os
import signal
import stat
import uuid

import pytest

from host import eventually

MIB = 1 << 20
WORKER = {"busybox": "echo worker:x:1000:1000::/home/worker:/bin/sh >>/etc/passwd; echo worker:x:1000: >>/etc/group; "
                     "mkdir -p /home/worker; chown 1000:1000 /home/worker",
          "debian": "useradd --create-home --shell /bin/bash worker"}


class Place:
    """A distro, and a directory of its own on either side for each test."""

    def __init__(self, host, name):
        self.host, self.name = host, name
        self.here = self.there = None

    def renew(self, here):
        self.here, self.there = here, f"/root/{uuid.uuid4().hex}"
        self.sh(f"mkdir {self.there}")

    def sh(self, script, **options):
        return self.host("run", "-d", self.name, "-u", "root", "--", "sh", "-ec", script, **options).stdout

    def inside(self, path):
        return f"{self.name}:{self.there}/{path}"

    def cp(self, *arguments, user="root", **options):
        return self.host("cp", "-u", user, *arguments, **options)

    def refused(self, *arguments, **options):
        """What the failed copy says."""
        result = self.cp(*arguments, check=False, **options)
        assert result.returncode == 1, (arguments, result)
        return result.stderr


@pytest.fixture(scope="module", params=["busybox", "debian"])
def distro(request, host):
    name = f"copy-{request.param}"
    host("import", "--no-user", name, os.environ[f"BERTH_TEST_{request.param.upper()}"])
    made = Place(host, name)
    made.sh(WORKER[request.param])
    yield made
    host("unregister", name)


@pytest.fixture
def place(distro, tmp_path):
    distro.renew(tmp_path)
    return distro


def make_tree(path):
    path.mkdir()
    (path / "file").write_bytes(os.urandom(300_000))
    os.utime(path / "file", ns=(10**18 + 1, 10**18 + 123456789))
    (path / "file").chmod(0o640)
    os.link(path / "file", path / "other name")
    os.symlink("file", path / "link")
    os.symlink("/no/such/place", path / "dangling")
    (path / "äöü \n x").write_text("unicode, a blank and a new line")
    (path / "read-only").mkdir()
    (path / "read-only/inner").write_text("inner")
    os.utime(path / "read-only", ns=(10**18, 10**18))
    (path / "read-only").chmod(0o500)
    (path / "empty").mkdir(0o700)
    (path / "nothing").touch()
    with open(path / "holes", "wb") as file:
        file.truncate(64 * MIB)
        file.seek(32 * MIB)
        file.write(b"island")
    os.setxattr(path / "file", "user.berth", b"value")


def describe(path):
    """All that a copy keeps; whether files have holes, and not which blocks they use."""
    found = {}
    for directory, names, files in os.walk(path):
        for name in [".", *names, *files]:
            entry = os.path.normpath(os.path.join(directory, name))
            info = os.lstat(entry)
            kind = stat.S_IFMT(info.st_mode)
            value = {stat.S_IFLNK: lambda: os.readlink(entry), stat.S_IFDIR: lambda: None,
                     stat.S_IFREG: lambda: open(entry, "rb").read()}[kind]()
            found[os.path.relpath(entry, path)] = (
                info.st_mode, info.st_mtime_ns, kind == stat.S_IFDIR or info.st_nlink, value,
                kind == stat.S_IFREG and info.st_blocks * 512 < info.st_size,
                kind != stat.S_IFLNK and "user.berth" in os.listxattr(entry) and os.getxattr(entry, "user.berth"))
    return found


@pytest.mark.smoke
def test_a_file_both_ways(place):
    data = os.urandom(3 * MIB + 1)
    (place.here / "out").write_bytes(data)
    os.utime(place.here / "out", (10**9, 10**9))
    (place.here / "out").chmod(0o751)
    place.cp(place.here / "out", place.inside("in"))
    assert place.sh(f"stat -c '%u %g %a %s %Y' {place.there}/in") == f"0 0 751 {len(data)} {10**9}\n"
    place.cp(place.inside("in"), place.here / "back")
    assert (place.here / "back").read_bytes() == data
    assert (place.here / "back").stat().st_mtime_ns == 10**18


def test_a_tree_both_ways(place):
    make_tree(place.here / "tree")
    place.cp("-r", place.here / "tree", place.inside("tree"))
    out = place.sh(f"cd {place.there}/tree; stat -c '%a %h %s %Y' file holes read-only/inner; readlink link; readlink dangling; "
                   "test file -ef 'other name'; stat -c '%a %Y' read-only; du -k holes | cut -f1")
    *lines, blocks = out.splitlines()
    inner = int((place.here / "tree/read-only/inner").stat().st_mtime)
    holes = place.here / "tree/holes"
    assert lines == [f"640 2 300000 {10**9}", f"{stat.S_IMODE(holes.stat().st_mode):o} 1 {64 * MIB} {int(holes.stat().st_mtime)}",
                     f"{stat.S_IMODE((place.here / 'tree/read-only/inner').stat().st_mode):o} 1 5 {inner}",
                     "file", "/no/such/place", f"500 {10**9}"]
    assert int(blocks) < 1024
    place.cp("-r", place.inside("tree"), place.here / "back")
    assert describe(place.here / "back") == describe(place.here / "tree")
    assert (place.here / "back/holes").stat().st_blocks < 2048


def test_many_small_files(place):
    (place.here / "many").mkdir()
    for number in range(1000):
        (place.here / f"many/{number}").write_text(str(number))
    place.cp("-r", place.here / "many", place.inside("many"))
    assert place.sh(f"ls {place.there}/many | wc -l; cat {place.there}/many/* | wc -c") == "1000\n2890\n"
    place.cp("-r", place.inside("many"), place.here / "back")
    assert {p.name: p.read_text() for p in (place.here / "back").iterdir()} == {str(n): str(n) for n in range(1000)}


def test_into_a_directory_and_home(place):
    for name in "ab":
        (place.here / name).write_text(name)
    place.cp(place.here / "a", place.here / "b", place.inside(""))
    assert place.sh(f"cat {place.there}/a {place.there}/b") == "ab"
    place.cp(place.here / "a", f"{place.name}:from-here", user="worker")
    assert place.sh("stat -c '%U' /home/worker/from-here; cat /home/worker/from-here") == "worker\na"


def test_permissions_are_the_users(place):
    (place.here / "a").write_text("a")
    place.sh(f"chmod 700 /root; echo secret >{place.there}/secret")
    assert "cannot open" in place.refused(place.inside("secret"), place.here / "x", user="worker")
    assert not (place.here / "x").exists()
    place.refused(place.here / "a", f"{place.name}:/etc/made-by-cp", user="worker")
    assert place.sh("ls /etc").count("made-by-cp") == 0


def test_a_missing_source_and_target(place):
    (place.here / "a").write_text("a")
    assert place.refused(place.inside("none"), place.here / "x").startswith(
        f'berth: cp: cannot open "{place.inside("none")}": no such file or directory\n')
    assert place.refused(place.here / "none", place.inside("x")).startswith(
        f'berth: cp: cannot open "{place.here}/none": no such file or directory\n')
    assert place.refused(place.here / "a", place.inside("none/x")).startswith(
        f'berth: cp: cannot copy to "{place.inside("none/x")}": ')
    assert os.listdir(place.here) == ["a"] and place.sh(f"ls {place.there}") == ""


def test_a_full_disk_leaves_no_half_file(place):
    (place.here / "large").write_bytes(bytes(range(256)) * (8 * MIB // 256))
    (place.here / "small").write_text("small")
    place.sh(f"mount -t tmpfs -o size=4m tmpfs {place.there}")
    said = place.refused(place.here / "large", place.here / "small", place.inside(""))
    assert said.startswith(f'berth: cp: cannot write "{place.inside("large")}": no space left on device\n')
    assert place.sh(f"ls -A {place.there}") == ""  # a full disk ends the copy
    place.sh(f"umount {place.there}")


def test_a_read_only_target(place):
    (place.here / "a").write_text("a")
    place.sh(f"mount -t tmpfs tmpfs {place.there}; echo old >{place.there}/a; mount -o remount,ro {place.there}")
    assert "read-only file system" in place.refused(place.here / "a", place.inside("a"))
    assert place.sh(f"ls -A {place.there}; cat {place.there}/a") == "a\nold\n"
    place.sh(f"umount {place.there}")


@pytest.mark.parametrize("inward", [True, False], ids=["in", "out"])
def test_an_interrupted_copy_leaves_nothing(place, inward):
    size = 512 * MIB
    (place.here / "target").mkdir()
    place.sh(f"mkdir {place.there}/target")
    if inward:
        with open(place.here / "large", "wb") as file:
            for _ in range(size // MIB):
                file.write(b"x" * MIB)
        sides = [place.here / "large", place.inside("target")]
        listed = lambda: place.sh(f"ls -A {place.there}/target")  # noqa: E731
    else:
        place.sh(f"head -c {size} /dev/zero | tr '\\0' x >{place.there}/large")
        sides = [place.inside("large"), place.here / "target"]
        listed = lambda: "\n".join(os.listdir(place.here / "target"))  # noqa: E731
    copy = place.host.spawn("cp", "-u", "root", *sides)
    eventually(lambda: listed().startswith(".berth-cp-"), what="the copy")
    copy.send_signal(signal.SIGINT)
    assert copy.wait(timeout=60) == -signal.SIGINT
    eventually(lambda: listed() == "", what="the end of the copy")
