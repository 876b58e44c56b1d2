# SPDX-License-Identifier: MIT
"""tests/lib/summary.py: conditions that make CI fail although each suite passed."""
import datetime
import json

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
    assert judge(log) == (1, ["2 passed, 1 failed"])


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
