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
    (tools / "dpkg-query").write_text("#!/bin/sh\necho installed\n")
    (tools / "dpkg-query").chmod(0o755)
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
