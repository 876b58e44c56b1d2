"""What file operations have to do, case by case, for tests/lib/operate.c: results, errnos and times.

A case is a list of lines, `[USER:] OPERATION ARGUMENT... [-> RESULT]`. The user is the files' owner unless said
otherwise, "other" (of the owner's group: "member") or "root"; the result is "0" unless said otherwise. `-> A / B why`:
a share does B, for the reason WHY[why] of operation_cases.py. `?` is whatever a plain directory does.
"""
import subprocess

import operation_cases_more  # noqa: F401: it adds its cases
from operation_cases import NAMES, OTHER, OTHER_GROUP, WHY, cases


class Line:
    def __init__(self, case_name, text, names):
        text, _, result = text.strip().partition(" -> ")
        user, colon, rest = text.partition(": ")
        self.user, words = (user, rest) if colon and user in ("owner", "other", "member", "root") else ("owner", text)
        if words == "tick":
            self.user = "root"  # its file is outside the case's directory
        plain, slash, share = result.partition(" / ")
        self.plain = (plain or "0").format(**names)
        share, _, self.why = share.partition(" ")
        assert not slash or self.why in WHY, text
        self.share = share.format(**names) if slash else self.plain
        self.words = words.format(**names)
        self.where = f"{case_name}: {text}"


def lines_of(name, owner):
    """The lines of a case, in its directory."""
    uid, gid = owner
    names = {**NAMES, "uid": uid, "gid": gid, "other": OTHER, "other_gid": OTHER_GROUP}
    return [Line(name, text, names) for text in cases[name][0].splitlines() if text.strip()]


def run(operate, directory, lines, owner, users):
    """The results of @lines by the command @operate in @directory of its side."""
    uid, gid = owner
    who = {"root": "root", "owner": f"{uid}:{gid}", "other": f"{OTHER}:{OTHER_GROUP}", "member": f"{OTHER}:{gid}"}
    text = "".join(f"{who[user] if users else 'root'} {words}\n" for user, words in lines)
    done = subprocess.run([*operate, directory], input=text, capture_output=True, text=True, timeout=3600)
    results = done.stdout.splitlines()
    assert done.returncode == 0 and len(results) == len(lines), (done, text.splitlines()[len(results)])
    return results


class Places:
    """Runs cases where @operate does: "root" is who makes a case's directory, @owner has the files. A read-only case is
    prepared in @directory by @prepare, which takes the lines, and performed at @read_only;
    None: there is no such place."""

    def __init__(self, operate, directory, read_only, owner, users, prepare=None):
        self.operate, self.directory, self.read_only = operate, directory, read_only
        self.owner, self.users, self.prepare = owner, users, prepare or self.perform

    def names(self):
        """The cases that can be run here."""
        return [name for name, (_, users, read_only) in cases.items()
                if (self.users or not users) and (self.read_only or read_only is None)]

    def perform(self, directory, lines):
        return run(self.operate, directory, lines, self.owner, self.users)

    def results(self):
        """(line, its result) of each line of all cases."""
        made, prepared, frozen, found = [], [], [], []
        for number, name in enumerate(self.names()):
            lines, prepare = lines_of(name, self.owner), cases[name][2]
            enter = [("root", f"enter c{number}"), ("root", f"chown . {self.owner[0]} {self.owner[1]}")]
            work = [(line.user, line.words) for line in lines]
            if prepare is None:
                made.append((lines, len(enter), enter + work + [("root", f"leave c{number}")]))
            else:
                prepared += enter if self.prepare == self.perform else enter[:1]
                prepared += [("owner", text) for text in prepare.splitlines()]
                frozen.append((lines, 1, enter[:1] + work))
        if prepared:
            self.prepare(self.directory, prepared)
        for directory, group in ((self.directory, made), (self.read_only, frozen)):
            results = iter(group and self.perform(directory, [line for _, _, script in group for line in script]))
            for lines, first, script in group:
                answers = [next(results) for _ in script]
                found += zip(lines, answers[first:])
        return found


def deviations(plain, share):
    """What is not as written: [(line, expected, result)], of the plain directory and of the share."""
    wrong = [(line.where, "plain", line.plain, result) for line, result in plain if line.plain not in ("?", result)]
    for (line, one), (_, other) in zip(plain, share):
        expected = one if line.share == "?" else line.share
        if other != expected:
            wrong.append((line.where, "share", expected, other))
    return wrong
