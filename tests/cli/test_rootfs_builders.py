# SPDX-License-Identifier: MIT
"""rootfs-builders/: the contract of their README, as far as it can be tested without a network."""
import io
import os
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest

BUILDERS = Path(__file__).resolve().parents[2] / "rootfs-builders"
BUSYBOX = BUILDERS / "busybox" / "build"
DEBIAN = BUILDERS / "debian" / "build"


def run(program, *arguments, **env):
    return subprocess.run([program, *arguments], env={**os.environ, **env}, capture_output=True)


def only(tmp_path, *tools):
    """A PATH with only these tools."""
    for tool in tools:
        where = next(Path(d) / tool for d in ("/usr/bin", "/bin") if (Path(d) / tool).exists())
        (tmp_path / tool).symlink_to(where)
    return str(tmp_path)


def acting_as(tmp_path, uid, name):
    """A PATH whose `id` reports another user, with newuidmap."""
    path = tmp_path / "bin"
    path.mkdir()
    (path / "id").write_text(f'#!/bin/sh\ncase $* in *n*) echo {name};; *) echo {uid};; esac\n')
    (path / "newuidmap").write_text("#!/bin/sh\n")
    for tool in path.iterdir():
        tool.chmod(0o755)
    return f"{path}:{os.environ['PATH']}"


@pytest.fixture(scope="module")
def busybox():
    result = run(BUSYBOX)
    assert (result.returncode, result.stderr) == (0, b"")
    return result.stdout


@pytest.fixture
def members(busybox):
    with tarfile.open(fileobj=io.BytesIO(busybox)) as tar:
        return {member.name.removeprefix("./"): member for member in tar}


class TestBusybox:
    def test_same_bytes_twice_whatever_the_umask_and_the_place(self, busybox, tmp_path):
        again = subprocess.run(["sh", "-c", 'umask 077; exec "$0"', BUSYBOX], capture_output=True,
                               env={**os.environ, "TMPDIR": str(tmp_path)}, cwd="/")
        assert again.stdout == busybox
        assert list(tmp_path.iterdir()) == []

    def test_source_date_epoch_is_every_file_time(self):
        with tarfile.open(fileobj=io.BytesIO(run(BUSYBOX, SOURCE_DATE_EPOCH="1000000000").stdout)) as tar:
            assert {member.mtime for member in tar} == {1000000000}

    def test_root_owns_everything_by_number(self, members):
        assert {(member.uid, member.gid, member.uname) for member in members.values()} == {(0, 0, "")}

    def test_there_is_no_init(self, members):
        assert not {"init", "sbin/init", "linuxrc", "lib/systemd/systemd"} & set(members)

    @pytest.mark.parametrize("applet", ["bin/sh", "usr/bin/wget", "usr/bin/nc", "usr/sbin/httpd", "bin/true"])
    def test_the_applets_people_use_are_links(self, members, applet):
        assert (members[applet].type, members[applet].linkname) == (tarfile.SYMTYPE, "/bin/busybox")

    def test_modes(self, members):
        modes = {name: stat.S_IMODE(members[name].mode)
                 for name in (".", "tmp", "var/tmp", "root", "etc/shadow", "etc/passwd", "bin/busybox")}
        assert modes == {".": 0o755, "tmp": 0o1777, "var/tmp": 0o1777, "root": 0o700,
                         "etc/shadow": 0o600, "etc/passwd": 0o644, "bin/busybox": 0o755}

    def test_os_release_names_it(self, busybox):
        with tarfile.open(fileobj=io.BytesIO(busybox)) as tar:
            release = tar.extractfile("./etc/os-release").read().decode()
        assert "ID=busybox\n" in release

    def test_a_dynamic_program_is_refused(self):
        result = run(BUSYBOX, BERTH_BUSYBOX="/bin/ls")
        assert (result.returncode, result.stdout) == (1, b"")
        assert result.stderr.startswith(b"busybox/build: /bin/ls: not a static program\nhint: ")

    def test_without_busybox(self, tmp_path):
        result = run(BUSYBOX, PATH=only(tmp_path, "bash", "env"))
        assert (result.returncode, result.stdout) == (1, b"")
        assert result.stderr == b"busybox/build: no busybox found\nhint: apt-get install busybox-static\n"

    def test_arguments_are_refused(self):
        assert run(BUSYBOX, "--with", "docker").returncode == 2


class TestDebian:
    @pytest.mark.parametrize("arguments, message", [
        (["--with"], "--with needs a value"),
        (["--include"], "--include needs a value"),
        (["--with", "games"], "--with games: no such group"),
        (["--init"], "--init needs a value"),
        (["--init", "upstart"], "--init upstart: no such init"),
        (["--fast"], "--fast: no such option"),
        (["Bookworm;id"], "Bookworm;id: not the name of a suite"),
        (["bookworm", "trixie"], "one suite, not 'bookworm' and 'trixie'"),
        (["--include", "vim,$(id)"], "--include $(id): not the name of a package"),
        (["--disable"], "--disable needs a value"),
        (["--fetch"], "--fetch needs a value"),
        (["--fetch", "vim,$(id)"], "--fetch $(id): not the name of a package"),
        (["--disable", "a.service,$(id)"], "--disable $(id): not the name of a unit"),
    ])
    def test_wrong_arguments(self, arguments, message):
        result = run(DEBIAN, *arguments)
        assert (result.returncode, result.stdout) == (2, b"")
        assert result.stderr.decode().startswith(f"debian/build: {message}\nhint: ")

    def test_help_names_every_option(self):
        result = run(DEBIAN, "--help")
        assert (result.returncode, result.stderr) == (0, b"")
        assert all(word in result.stdout for word in (b"--init", b"--with docker", b"--with podman", b"--with dev", b"--include", b"--fetch", b"--allow-expired"))

    def test_without_mmdebstrap(self, tmp_path):
        result = run(DEBIAN, PATH=only(tmp_path, "bash", "env", "id"))
        assert (result.returncode, result.stdout) == (1, b"")
        assert result.stderr == b"debian/build: mmdebstrap: not found\nhint: apt-get install mmdebstrap\n"

    @pytest.mark.parametrize("suite, newer", [("bookworm", set()), ("trixie", {"docker-cli", "passt"})])
    def test_containers_come_with_what_their_suite_has_split_off(self, tmp_path, suite, newer):
        path = acting_as(tmp_path, 0, "root")
        mmdebstrap = tmp_path / "bin" / "mmdebstrap"
        mmdebstrap.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
        mmdebstrap.chmod(0o755)
        result = run(DEBIAN, "--with", "docker", "--with", "podman", suite, PATH=path, SOURCE_DATE_EPOCH="1",
                     BERTH_DEBIAN_MIRROR="http://mirror.invalid/debian/")
        arguments = result.stdout.decode().splitlines()
        packages = next(a for a in arguments if a.startswith("--include=")).removeprefix("--include=").split(",")
        assert result.returncode == 0, result.stderr
        assert {"systemd", "docker.io", "podman"} < set(packages)
        assert {"docker-cli", "passt"} & set(packages) == newer
        assert arguments[-3:] == [f"deb http://mirror.invalid/debian {suite} main",
                                  f"deb http://mirror.invalid/debian {suite}-updates main",
                                  f"deb http://mirror.invalid/debian-security {suite}-security main"]

    def test_another_init(self, tmp_path):
        path = acting_as(tmp_path, 0, "root")
        mmdebstrap = tmp_path / "bin" / "mmdebstrap"
        mmdebstrap.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
        mmdebstrap.chmod(0o755)
        result = run(DEBIAN, "--init", "sysvinit", PATH=path, SOURCE_DATE_EPOCH="1",
                     BERTH_DEBIAN_MIRROR="http://mirror.invalid/debian/")
        packages = next(a for a in result.stdout.decode().splitlines() if a.startswith("--include=")).split(",")
        assert "sysvinit-core" in packages and not {"systemd", "systemd-sysv", "libpam-systemd"} & set(packages)

    @pytest.mark.parametrize("options, allowed", [([], False), (["--allow-expired"], True)])
    def test_an_archive_that_has_expired_is_refused_unless_allowed(self, tmp_path, options, allowed):
        path = acting_as(tmp_path, 0, "root")
        mmdebstrap = tmp_path / "bin" / "mmdebstrap"
        mmdebstrap.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
        mmdebstrap.chmod(0o755)
        result = run(DEBIAN, "sid", *options, PATH=path, SOURCE_DATE_EPOCH="1",
                     BERTH_DEBIAN_MIRROR="http://mirror.invalid/debian/")
        assert result.returncode == 0, result.stderr
        assert ('--aptopt=Acquire::Check-Valid-Until "false"' in result.stdout.decode().splitlines()) == allowed

    def test_a_user_without_a_range_of_ids(self, tmp_path):
        result = run(DEBIAN, PATH=acting_as(tmp_path, 4711, "nobody-of-that-name"))
        assert (result.returncode, result.stdout) == (1, b"")
        assert result.stderr.startswith(b"debian/build: no ids for nobody-of-that-name in /etc/subuid\nhint: usermod ")

    def test_a_mirror_that_is_not_there(self, tmp_path):
        temporary = tmp_path / "tmp"
        temporary.mkdir()
        at_once = tmp_path / "apt.conf"
        at_once.write_text('Acquire::Retries "0";\n')
        result = run(DEBIAN, BERTH_DEBIAN_MIRROR="http://127.0.0.1:9/debian", TMPDIR=str(temporary),
                     PATH=acting_as(tmp_path, 0, "root"), APT_CONFIG=str(at_once))
        assert (result.returncode, result.stdout) == (1, b"")
        assert result.stderr.startswith(b"debian/build: http://127.0.0.1:9/debian: no suite bookworm: ")
        assert list(temporary.iterdir()) == []
