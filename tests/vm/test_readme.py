"""README.md's code blocks, from top to bottom, in one shell, as written, by a user who has berth and a Debian's archive."""
import getpass
import os
import subprocess
from pathlib import Path

import pytest
import readme
from conftest import required
from host import Host

TEXT = (Path(__file__).resolve().parents[2] / "README.md").read_text()
BLOCKS = readme.blocks(TEXT)
STEPS = [(block, step) for block in BLOCKS if block.run for step in block.steps]
SEPARATOR = "\036"


def script():
    """Each step's output ends with a separator and the status."""
    ends = f"printf '%s%d%s' {SEPARATOR} $? {SEPARATOR}\n"
    return "exec </dev/null 2>&1\n" + "".join(step.script() + ends for _, step in STEPS)


@pytest.fixture(scope="module")
def results():
    """What each step printed, and its status."""
    with Host(required("BERTH_TEST_BUILD"), BERTH_KERNEL=required("BERTH_TEST_KERNEL"), BERTH_BOOT_TIMEOUT="120",
              BERTH_INIT_TIMEOUT="120") as host:
        home = Path(host.environment["HOME"])
        (home / "debian.tar.zst").symlink_to(required("BERTH_TEST_DEBIAN"))
        host.environment["XDG_CONFIG_HOME"] = str(home / ".config")  # where README has it
        host.environment["PATH"] = f"{Path(host.program).resolve().parent}:{host.environment['PATH']}"
        host.environment["USER"] = getpass.getuser()  # as every login sets it
        (home / "script").write_text(script())
        done = subprocess.run(["bash", "script"], cwd=home, env=host.environment, capture_output=True, timeout=900)
        parts = done.stdout.decode(errors="replace").split(SEPARATOR)
        yield home, list(zip(parts[::2], map(int, parts[1::2])))


def show(home, line):
    return readme.shape(line, str(home), getpass.getuser())


@pytest.mark.parametrize("number", range(len(STEPS)), ids=lambda i: f"line-{STEPS[i][0].line}-{STEPS[i][1].command[:40]}")
def test_step(results, number):
    home, outcomes = results
    step = STEPS[number][1]
    printed, status = outcomes[number]
    lines = [line for line in printed.splitlines() if "KVM does not work here" not in line]
    assert (status != 0) == step.fails(), (step.command, status, printed)
    shown = [show(home, line) for line in step.printed]
    assert readme.matches([show(home, line) for line in lines], shown), (step.command, printed, step.printed)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"line-{block.line}")
def test_syntax(block):
    text = "".join(step.script() for step in block.steps)
    subprocess.run(["bash", "-n"], input=text, text=True, check=True, env={**os.environ, "LC_ALL": "C.UTF-8"})
