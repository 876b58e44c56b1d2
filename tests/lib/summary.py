"""summary.py LOG... — add up what the suites' logs say and print "N passed, N failed".

A log is meson's testlog.json (TAP programs count their subtests, pytest runs their cases) or the
plain output of pytest. A skip is a failure when BERTH_TEST_STRICT is set. A test program that ran
nothing has failed. Tests that passed only when they were run again are named.
"""
import json
import os
import re
import sys


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


def run_again(path):
    with open(path, encoding="utf-8", errors="replace") as log:
        return re.findall(r'RERUN [^\s\\"]+', log.read())


def count_log(path):
    with open(path, encoding="utf-8", errors="replace") as log:
        if not path.endswith(".json"):
            counts = count_pytest(log.read())
            return [counts if any(counts) else (0, 1, 0)]
        return [count_meson_test(json.loads(line)) for line in log if line.strip()]


def main(paths):
    rows = [counts for path in paths for counts in count_log(path)]
    for line in (line for path in paths for line in run_again(path)):
        print(line)
    passed, failed, skipped = (sum(column) for column in zip(*rows)) if rows else (0, 1, 0)
    if os.environ.get("BERTH_TEST_STRICT"):
        failed, skipped = failed + skipped, 0
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
