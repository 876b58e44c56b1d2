"""summary.py LOG... — list what failed, add up what the suites' logs say and print "N passed, N failed".

A log is meson's testlog.json (TAP programs count their subtests, pytest runs their cases) or the
plain output of pytest. A test program that ran nothing has failed, and so has a log that is not there.

When BERTH_TEST_STRICT is set a skip is a failure, and so is a test that passed only when it was run again, unless
reruns.txt beside tests/run lists it. An entry there that has expired is a failure, too.

Who sees only the end of CI's output still sees why it failed: each failure is repeated there with what it said.
"""
import datetime
import fnmatch
import json
import os
import re
import sys
from pathlib import Path

import failures

ALLOWED = Path(__file__).parents[1] / "reruns.txt"
SHOWN = 8  # failures of one log
WIDTH = 200


def count_pytest(text):
    found = dict((word, int(number)) for number, word in
                 re.findall(r"(\d+) (passed|failed|errors?|skipped)", text.splitlines()[-1] if text.strip() else ""))
    failed = found.get("failed", 0) + found.get("error", 0) + found.get("errors", 0)
    return found.get("passed", 0), failed, found.get("skipped", 0)


def count_tap(text):
    passed = len(re.findall(r"^ok \d+(?!.*# SKIP)", text, re.M))
    return passed, len(re.findall(r"^not ok \d+", text, re.M)), len(re.findall(r"^ok \d+.*# SKIP", text, re.M))


def count_meson_test(row):
    text = row.get("stdout", "")
    counts = count_tap(text) if re.search(r"^1\.\.\d+|^ok \d+", text, re.M) else count_pytest(text)
    if row["result"] != "OK" and counts[1] == 0:
        counts = (counts[0], 1, counts[2])
    return counts if any(counts) else (0, 1, 0)


def count_plain(text):
    counts = count_pytest(text)
    return counts if any(counts) else (0, 1, 0)


def passed_when_run_again(text):
    """Tests that failed and then passed, from the lines of pytest's -ra and -rR: rerun lines name a test relative to
    the root directory, failure lines relative to the working directory and followed by the reason.
    """
    failed = re.findall(r"^(?:FAILED|ERROR) (.+)$", text, re.M)
    again = dict.fromkeys(re.findall(r"^RERUN (.+)$", text, re.M))
    return [name for name in again if not any(re.search(rf"(^|/){re.escape(name)}( - |$)", line) for line in failed)]


def read_log(path):
    """Read one log: [(test program's name, (passed, failed, skipped), its output, its errors)]."""
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return [("no log", (0, 1, 0), str(error), "")]
    if not path.endswith(".json"):
        return [("pytest", count_plain(text), text, "")]
    rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    return [(row["name"], count_meson_test(row), row.get("stdout", ""), row.get("stderr", "")) for row in rows]


def print_failures(path, programs):
    """Say what failed or was skipped, and why, in at most SHOWN tests of one log."""
    found = [[f"{name}: {first}", *rest] for name, (_, failed, skipped), text, error in programs if failed or skipped
             for first, *rest in failures.of_output(text, error)]
    for first, *rest in found[:SHOWN]:
        print(f"{Path(path).parent.parent.name}/{Path(path).stem}: {first}"[:WIDTH])
        for line in rest:
            print(f"    {line}"[:WIDTH])
    if len(found) > SHOWN:
        print(f"... and {len(found) - SHOWN} more of {path}")


def read_allowed(path, today):
    """([test], [fault]) of the list: "DATE TEST REASON" a line, the last day on which TEST may be run again. TEST is a
    test's name or a shell pattern (fnmatch) within one suite."""
    allowed, faults = [], []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        words = line.split(None, 2)
        if not words or words[0].startswith("#"):
            continue
        try:
            last_day = datetime.date.fromisoformat(words[0])
            _, test, _ = words
        except ValueError:
            faults.append(f"{path.name}:{number}: not DATE TEST REASON: {line}")
            continue
        suite, within, _ = test.partition("/")
        if not within or set(suite) & set("*?["):
            faults.append(f"{path.name}:{number}: names no suite: {test}")
        elif last_day < today:
            faults.append(f"{path.name}:{number}: expired on {last_day}: {test}")
        else:
            allowed.append(test)
    return allowed, faults


def is_allowed(name, allowed):
    return any(name == test or fnmatch.fnmatchcase(name, test) for test in allowed)


def main(paths, allowed_path=ALLOWED, today=None):
    logs = [read_log(path) for path in paths]
    for path, programs in zip(paths, logs):
        print_failures(path, programs)
    rows = [counts for programs in logs for _, counts, _, _ in programs]
    passed, failed, skipped = (sum(column) for column in zip(*rows)) if rows else (0, 1, 0)
    allowed, faults = read_allowed(allowed_path, today or datetime.date.today())
    for name, text in ((name, text) for programs in logs for _, _, text, _ in programs
                       for name in passed_when_run_again(text)):
        listed = is_allowed(name, allowed)
        print(f"RERUN {name}" + (f" (allowed by {allowed_path.name})" if listed else ""))
        for line in failures.of_rerun(text, name):
            print(f"    {line}"[:WIDTH])
        if not listed:
            faults.append(f"{name}: passed only when it was run again, and {allowed_path.name} does not list it")
    if os.environ.get("BERTH_TEST_STRICT"):
        for fault in faults:
            print(fault)
        failed, skipped = failed + skipped + len(faults), 0
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
