# SPDX-License-Identifier: MIT
"""timers — the root directory of a distro with timers, as far as the agent looks at it (cmd/berth-guest/timers)."""
import os
import stat
import time

# It answers with the file beside it, each manager with its own.
SYSTEMCTL = """#!/bin/sh
manager=system
[ "$1" = --user ] && manager=${XDG_RUNTIME_DIR##*/}
[ "$TZ" = UTC ] && exec cat "${0%/*}/answers/$manager"
"""


class Timers:
    def __init__(self, root):
        self.root = root
        self.answers = root / "usr/bin/answers"
        self.answers.mkdir(parents=True)
        self.program = root / "usr/bin/systemctl"

    def write(self, path, text, mode=0o644):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
        return file

    def run_systemd(self, script=SYSTEMCTL, private="run/systemd/private"):
        """A manager listens, which the program asks."""
        self.program.write_text(script)
        self.program.chmod(0o755)
        (self.root / private).parent.mkdir(parents=True, exist_ok=True)
        os.mknod(self.root / private, stat.S_IFSOCK | 0o600)

    def set_units(self, *units, manager="system"):
        """Each is (name, time, properties ...); the time in seconds since 1970, or None."""
        blocks = []
        for name, at, *properties in units:
            elapse = time.strftime("%a %Y-%m-%d %H:%M:%S UTC", time.gmtime(at)) if at else ""
            known = {"AccuracyUSec": "1us", "RandomizedDelayUSec": "0", "WakeSystem": "no",
                     **dict(each.split("=") for each in properties)}
            lines = [f"NextElapseUSecRealtime={elapse}", *(f"{key}={value}" for key, value in known.items()), f"Id={name}"]
            blocks.append("".join(line + "\n" for line in lines))
        new = self.answers / "new"
        new.write_text("\n".join(blocks))
        new.rename(self.answers / manager)

    def run_cron(self, name="cron", program="/usr/sbin/cron"):
        self.write("proc/123/comm", f"{name}\n")
        os.symlink(program, self.root / "proc/123/exe")
