# SPDX-License-Identifier: MIT
"""tests/lib/summary.py: conditions that make CI fail although each suite passed."""
import datetime
import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import summary

TODAY = datetime.date(2026, 11, 28)
ONCE_MORE = ".R.\nRERUN cli/test_a.py::test_b[x y - z]\n3 passed, 1 rerun in 0.1s\n"
NAME = "cli/test_a.py::test_b[x-y]"
LISTED = f".R.\nRERUN {NAME}\n3 passed, 1 rerun in 0.1s\n"


@pytest.fixture
def judge(tmp_path, monkeypatch, capsys):
    """The exit status and output for one log and a list of allowed reruns."""
    def run(log, allowed="", strict=True, suffix="txt"):
        monkeypatch.setenv("BERTH_TEST_STRICT", "1" if strict else "")
        path, listed = tmp_path / f"log.{suffix}", tmp_path / "reruns.txt"
        listed.write_text(allowed)
        path.write_text(log)
        status = summary.main([str(path)], listed, TODAY)
        return status, capsys.readouterr().out.splitlines()
    return run


def as_meson(text):
    return json.dumps({"name": "cli", "stdout": text, "result": "OK"}) + "\n"


def test_all_passed(judge):
    assert judge("...\n3 passed in 0.1s\n") == (0, ["3 passed, 0 failed"])


@pytest.mark.parametrize("log, suffix", [(ONCE_MORE, "txt"), (as_meson(ONCE_MORE), "json")])
def test_a_rerun_that_passed_fails(judge, log, suffix):
    status, lines = judge(log, suffix=suffix)
    assert status == 1
    assert lines == ["RERUN cli/test_a.py::test_b[x y - z]",
                     "cli/test_a.py::test_b[x y - z]: passed only when it was run again, and reruns.txt does not list it",
                     "3 passed, 1 failed"]


def test_rerun_is_listed_without_strict(judge):
    assert judge(ONCE_MORE, strict=False) == (0, ["RERUN cli/test_a.py::test_b[x y - z]", "3 passed, 0 failed"])


def test_a_listed_rerun_passes_on_its_last_day(judge):
    status, lines = judge(LISTED, f"# why\n\n2026-11-28 {NAME} a race of pids, mended with issue 9\n")
    assert (status, lines) == (0, [f"RERUN {NAME} (allowed by reruns.txt)", "3 passed, 0 failed"])


def test_an_expired_entry_fails_whether_or_not_the_test_was_run_again(judge):
    entry = f"2026-11-27 {NAME} a race of pids\n"
    status, lines = judge("...\n3 passed in 0.1s\n", entry)
    assert (status, lines) == (1, [f"reruns.txt:1: expired on 2026-11-27: {NAME}", "3 passed, 1 failed"])
    assert judge(LISTED, entry)[1][-1] == "3 passed, 2 failed"


@pytest.mark.parametrize("entry", ["soon cli/a.py::b why", "2026-12-01 cli/a.py::b", "2026-12-01", "2026-13-01 a b"])
def test_an_entry_without_a_date_or_a_reason_fails(judge, entry):
    status, lines = judge("...\n3 passed in 0.1s\n", entry)
    assert (status, lines) == (1, [f"reruns.txt:1: not DATE TEST REASON: {entry}", "3 passed, 1 failed"])


@pytest.mark.parametrize("failed", ["FAILED cli/test_a.py::test_b[x - y] - AssertionError: no",
                                    "FAILED ../../tests/cli/test_a.py::test_b[x - y]"])
def test_a_test_that_failed_twice_counts_once(judge, failed):
    log = f".RF\nRERUN cli/test_a.py::test_b[x - y]\n{failed}\n1 failed, 2 passed, 1 rerun in 0.1s\n"
    status, lines = judge(log)
    assert (status, lines[-1]) == (1, "2 passed, 1 failed")


@pytest.fixture
def run_pytest(tmp_path):
    """The output of pytest as suites run it, with the conftest.py that they share."""
    def run(text, *plugins):
        (tmp_path / "lib").mkdir()
        shutil.copy(Path(summary.__file__).parents[1] / "conftest.py", tmp_path)
        for name in ("consoles.py", "host.py", "left_over.py", "waiting.py"):
            shutil.copy(Path(summary.__file__).parent / name, tmp_path / "lib")
        (tmp_path / "test_a.py").write_text(text)
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-raR", "--reruns", "1",
                   *(word for plugin in plugins for word in ("-p", plugin))]
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "BERTH_TEST_"))}
        plain["PYTHONPATH"] = str(tmp_path / "lib")
        return subprocess.run(command, cwd=tmp_path, env=plain, capture_output=True, text=True).stdout
    return run


def test_failures_say_why_at_the_end(judge, run_pytest):
    output = run_pytest("""import pytest
@pytest.mark.parametrize("x", ["a - b", 2])
def test_bad(x):
    assert x == 3, "three"
class TestC:
    def test_in(self):
        raise OSError("inside")
@pytest.fixture
def broken():
    raise ValueError("setup")
def test_error(broken):
    pass
def test_skipped():
    pytest.skip("no such thing here")
""")
    status, lines = judge(output)
    assert (status, lines[-1]) == (1, "0 passed, 5 failed")
    for start, cause in [("FAILED test_a.py::test_bad[a - b]", "E       AssertionError: three"),
                         ("FAILED test_a.py::test_bad[2]", "E       AssertionError: three"),
                         ("FAILED test_a.py::TestC::test_in", "E       OSError: inside"),
                         ("ERROR test_a.py::test_error", "E       ValueError: setup")]:
        at = next(number for number, line in enumerate(lines) if start in line)
        report = list(itertools.takewhile(lambda line: line.startswith("    "), lines[at + 1:]))
        assert f"    {cause}" in report
    assert any("no such thing here" in line for line in lines)


def test_a_rerun_says_why_it_failed_at_first(judge, run_pytest):
    output = run_pytest("""tries = []
def test_again():
    tries.append(1)
    assert len(tries) == 2, "first time"
""")
    lines = judge(output)[1]
    assert lines[0] == "RERUN test_a.py::test_again" and "    E       AssertionError: first time" in lines
    assert lines[-1] == "1 passed, 1 failed"


PANIC = """\
import os
import pytest
from host import Host
Host.__call__ = lambda *_, **__: None
@pytest.fixture(scope="session")
def host():
    with Host("/nowhere") as made:
        yield made
@pytest.fixture
def distro(host):
    distros = host.root / "data/berth/distros"
    for name in ("ID", "OLD"):
        (distros / name).mkdir(parents=True, exist_ok=True)
    (distros / "ID/console.log").write_text('''/etc/wsl.conf:2: unknown key
[    1.9] BUG: unable to handle page fault
[    1.9] Call Trace:
[    1.9] Kernel panic - not syncing: Fatal exception in interrupt
''')
    (distros / "OLD/console.log").write_text("[    1.0] Kernel panic - not syncing: yesterday's\\n")
    os.utime(distros / "OLD/console.log", (1, 1))
tries = []
"""
PANICS = {"failed": "def test_boots(distro):\n    assert False, 'dead'\n",
          "rerun": "def test_boots(distro):\n    tries.append(1)\n    assert len(tries) == 2, 'dead'\n",
          "setup": "@pytest.fixture\ndef up(distro):\n    raise OSError('dead')\ndef test_boots(up):\n    pass\n"}


@pytest.mark.parametrize("how", PANICS)
def test_a_guests_kernel_that_died_says_why_at_the_end(judge, run_pytest, how):
    output = run_pytest(PANIC + PANICS[how], "consoles")
    assert "/etc/wsl.conf:2: unknown key" in output and "console of ID" in output, "the whole console is in the log"
    lines = judge(output)[1]
    for wanted in ("unable to handle page fault", "Call Trace:", "Fatal exception in interrupt", "dead"):
        assert any(wanted in line for line in lines), (wanted, lines)
    assert "yesterday" not in output
    assert not any("wsl.conf" in line for line in lines)


@pytest.mark.parametrize("text, error, result, wanted", [
    ("1..2\nok 1 /a\n# net.c:5: 3 != 4\nnot ok 2 /b\nBail out!\n", "abort", "FAIL", ["not ok 2 /b", "# net.c:5: 3 != 4"]),
    ("ok 1 /a # SKIP none\n1..1\n", "", "OK", ["ok 1 /a # SKIP none"]),
    ("ok 1 /a\n", "ERROR: AddressSanitizer: heap-use-after-free\n", "FAIL", ["heap-use-after-free"]),
    ("", "", "TIMEOUT", ["the end of its output"])])
def test_a_test_program_says_why(judge, text, error, result, wanted):
    log = json.dumps({"name": "net-stack", "stdout": text, "stderr": error, "result": result}) + "\n"
    status, lines = judge(log, suffix="json")
    assert status == 1 and "net-stack: " in lines[0]
    assert all(any(want in line for line in lines) for want in wanted)


def test_many_failures_leave_room_for_others(judge):
    text = "".join(f"not ok {number} /a\n" for number in range(1, 100))
    status, lines = judge(json.dumps({"name": "net", "stdout": text, "result": "FAIL"}) + "\n", suffix="json")
    assert status == 1 and len(lines) == summary.SHOWN + 2 and lines[-2].startswith("... and 91 more")


def test_missing_log_fails(tmp_path, capsys):
    assert summary.main([str(tmp_path / "none.json")]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "0 passed, 1 failed"


def test_list_in_the_tree_is_valid():
    assert summary.read_allowed(summary.ALLOWED, datetime.date.min)[1] == []


@pytest.mark.parametrize("pattern", ["cli/*", "cli/test_a.py::*", "cli/test_a.py::test_b[[]x-?]"])
def test_pattern_allows_what_it_matches_until_its_date(judge, pattern):
    line = f"RERUN {NAME} (allowed by reruns.txt)"
    assert judge(LISTED, f"2026-11-28 {pattern} it is new\n") == (0, [line, "3 passed, 0 failed"])
    assert judge(LISTED, f"2026-11-27 {pattern} it is new\n")[0] == 1


@pytest.mark.parametrize("pattern", ["vm/*", "cli/test_b*", "CLI/*", "cli/test_a.py::test_b[xy]"])
def test_pattern_allows_nothing_else(judge, pattern):
    status, lines = judge(LISTED, f"2026-11-28 {pattern} it is new\n")
    assert status == 1
    assert lines[1] == f"{NAME}: passed only when it was run again, and reruns.txt does not list it"


@pytest.mark.parametrize("pattern", ["*", "*/*", "?li/*", "[cv]*/*", "test_b"])
def test_pattern_for_more_than_a_suite_fails(judge, pattern):
    status, lines = judge(LISTED, f"2026-11-28 {pattern} it is new\n")
    assert status == 1
    assert f"reruns.txt:1: names no suite: {pattern}" in lines and lines[-1] == "3 passed, 2 failed"
