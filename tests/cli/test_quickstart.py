# SPDX-License-Identifier: MIT
"""quickstart, with builders that never end in place of the real ones."""
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from conftest import wait_for
from waiting import LIMIT, is_alive

QUICKSTART = Path(__file__).resolve().parents[2] / "quickstart"
BUILDER = """\
#!/bin/sh
echo unfinished
sleep 1000 &
echo $$ $! >"$PIDS/{name}.new" && mv "$PIDS/{name}.new" "$PIDS/{name}"
wait
sleep 1000
"""


@pytest.fixture
def tree(tmp_path):
    """A source tree of builders, the environment for its quickstart, and the files with the builders' pids."""
    pids, tools = tmp_path / "pids", tmp_path / "bin"
    pids.mkdir()
    tools.mkdir()
    for name, says in ("dpkg-query", "installed"), ("apt-get", "http://mirror/debian/ Debian"):
        (tools / name).write_text(f"#!/bin/sh\necho {says}\n")
        (tools / name).chmod(0o755)
    shutil.copy(QUICKSTART, tmp_path / "quickstart")
    for name in ("kernel", "rootfs-builders/debian"):
        directory = tmp_path / name
        directory.mkdir(parents=True)
        (directory / "build").write_text(BUILDER.format(name=directory.name))
        (directory / "build").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "PIDS": str(pids),
                   "XDG_CACHE_HOME": str(tmp_path / "cache")}
    return tmp_path, environment, pids


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signal_ends_it_and_its_children(tree, number):
    root, environment, pids = tree
    process = subprocess.Popen([root / "quickstart"], env=environment, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    started = []
    try:
        wait_for(lambda: len(list(pids.glob("*[!w]"))) == 2)
        started = [int(pid) for path in pids.iterdir() for pid in path.read_text().split()]
        assert len(started) == 4 and all(map(is_alive, started))
        process.send_signal(number)
        assert process.wait(timeout=LIMIT) == (130 if number == signal.SIGINT else 143)
        wait_for(lambda: not any(map(is_alive, started)))
        assert list((root / "cache/berth/rootfs").glob("*/*")) == []
    finally:
        process.kill()
        process.wait()
        for pid in filter(is_alive, started):
            os.kill(pid, signal.SIGKILL)


APT = """\
#!/bin/sh
case $0:$1 in
*/dpkg-query:*) exit 1 ;;
*/apt-cache:*) [ "$2" = "$ABSENT" ] && echo "  Candidate: (none)" || echo "  Candidate: 1.0" ;;
*/apt-get:indextargets) echo "$ARCHIVES" ;;
*/sudo:*) exec "$@" ;;
*) echo "$*" >>"$LOG" ;;
esac
"""
UBUNTU = "ID=ubuntu\nVERSION_ID=24.04\nPRETTY_NAME='Ubuntu 24.04'\n"
DEBIAN = "ID=debian\nVERSION_ID=13\nPRETTY_NAME='Debian 13'\n"


@pytest.fixture
def release(tree, tmp_path):
    """Runs quickstart on a release of which nothing is installed, until it has its packages."""
    def run(os_release, *words, absent="none", archives="http://mirror/debian/ Debian"):
        root, environment, _ = tree
        for name in ("dpkg-query", "apt-cache", "apt-get", "sudo"):
            (root / "bin" / name).write_text(APT)
            (root / "bin" / name).chmod(0o755)
        for name in ("kernel", "rootfs-builders/debian"):
            (root / name / "build").write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / "os-release").write_text(os_release)
        log = tmp_path / "log"
        log.write_text("")
        done = subprocess.run([root / "quickstart", *words], capture_output=True, text=True, timeout=LIMIT,
                              env={**environment, "LOG": str(log), "ABSENT": absent, "ARCHIVES": archives,
                                   "BERTH_OS_RELEASE": str(tmp_path / "os-release")})
        assert done.returncode == 1
        return done.stderr, log.read_text()
    return run


@pytest.mark.parametrize("os_release, names, others", [
    (DEBIAN, {"linux-source-6.12", "libclang-rt-19-dev"}, {"libclang-rt-14-dev"}),
    (UBUNTU, {"libclang-rt-18-dev"}, {"linux-source-6.12", "libclang-rt-14-dev"}),
    ("ID=mint\nVERSION_ID=3\n", {"gcc", "clang"}, {"linux-source-6.12", "libclang-rt-14-dev"}),
])
def test_packages_by_release(release, os_release, names, others):
    said, log = release(os_release, "test")
    installed = set(log.splitlines()[1].split())
    assert installed >= names | {"libslirp-dev", "python3-pytest"} and not installed & others
    assert ("not one that quickstart was written for" in said) == ("mint" in os_release)


def test_a_package_that_the_release_has_not(release):
    said, log = release(UBUNTU, absent="libslirp-dev")
    assert "quickstart: Ubuntu 24.04 has no package libslirp-dev\nhint: " in said
    assert log == "-q update\n"


def test_no_debian_archive(release):
    said, _ = release(UBUNTU, archives="http://mirror/ubuntu/ Ubuntu")
    assert "root file system" not in said and "=== kernel" in said
    said, _ = release(UBUNTU, "test", archives="http://mirror/ubuntu/ Ubuntu")
    assert "apt's sources name no Debian archive\nhint: " in said and "=== kernel" not in said


NAMESPACE = """\
. "$0"
exec_in_namespace --pid --fork --kill-child sh -c 'read -r pid rest </proc/self/stat; echo $pid; exec sleep 1000' &
echo $!
wait
"""


@pytest.mark.as_root
def test_a_namespace_ends_with_the_job_that_is_killed():
    """The jobs of tests/release and tests/package: a shell between them and unshare would leave unshare behind."""
    root_sh = QUICKSTART.parent / "tests/lib/root.sh"
    with subprocess.Popen(["bash", "-c", NAMESPACE, root_sh], stdout=subprocess.PIPE, text=True) as process:
        job, inner = sorted(int(process.stdout.readline()) for _ in range(2))
        assert is_alive(inner)
        os.kill(job, signal.SIGKILL)
        wait_for(lambda: not is_alive(inner))
