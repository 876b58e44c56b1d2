"""A berth of its own for tests: the built programs, a home and XDG directories in a place apart.

    with Host(build) as host:
        host("import", "box", tarball)
        host.run("box", "uname", "-r").stdout
"""
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import left_over
from waiting import LIMIT, wait_for

XDG = {"XDG_DATA_HOME": "data", "XDG_CONFIG_HOME": "config", "XDG_CACHE_HOME": "cache", "XDG_RUNTIME_DIR": "run"}


class Host:
    """@build is a build directory (its cmd/ holds the programs); @settings become BERTH_ variables."""

    opened = []  # those of this process that are not closed

    def __init__(self, build, **settings):
        self.program = str(Path(build) / "cmd" / "berth")
        self.root = Path(tempfile.mkdtemp(prefix="b"))  # short: socket paths are limited to 108 bytes
        self.environment = {key: value for key, value in os.environ.items()
                            if not key.startswith(("BERTH_", "XDG_"))}
        # No test is to depend on how long it takes: a suspend is asked for, here or by BERTH_IDLE.
        self.environment.update({"HOME": str(self.root / "home"), "BERTH_IDLE": "never", "BERTH_PARK_AFTER": "0",
                                 "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nowhere", **settings})
        for name, directory in {"HOME": "home", **XDG}.items():
            (self.root / directory).mkdir(mode=0o700)
            self.environment[name] = str(self.root / directory)
        self.opened.append(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """End every keeper we started, cleanly, then by force; remove everything."""
        try:
            self("shutdown", check=False)
        finally:
            self.opened.remove(self)
            left_over.end(self.root)
            shutil.rmtree(self.root, ignore_errors=True)

    def __call__(self, *arguments, check=True, timeout=LIMIT, **options):
        """Run `berth ARGUMENTS`; returns subprocess's result, as text by default."""
        options.setdefault("text", True)
        options.setdefault("stdin", subprocess.DEVNULL)
        if "input" in options:
            options.pop("stdin")
        result = subprocess.run([self.program, *map(str, arguments)], capture_output=True,
                                env=self.environment, timeout=timeout, **options)
        if check:
            assert result.returncode == 0, self._story(arguments, result)
        return result

    def _story(self, arguments, result):
        """Details of a failed command, including the end of the console log if the message points there."""
        story = f"berth {arguments}: {result.returncode}\n{result.stdout}\n{result.stderr}"
        named = re.search(r'"berth logs (\S+)"', str(result.stderr))
        if named:
            story += self("logs", named.group(1), check=False).stdout[-4000:]
        return story

    def run(self, name, *command, **options):
        return self("run", "-d", name, "--", *command, **options)

    def shell(self, name, script, **options):
        """Run @script with the distro's sh."""
        return self.run(name, "sh", "-c", script, **options)

    def spawn(self, *arguments, **options):
        return subprocess.Popen([self.program, *map(str, arguments)], env=self.environment, **options)

    def json(self, *arguments):
        return json.loads(self(*arguments, "--json").stdout)

    def info(self, name):
        """The distro's row of `berth list --json`."""
        return next(row for row in self.json("list")["distros"] if row["name"] == name)

    def state(self, name):
        return self.info(name)["state"]


def eventually(probe, timeout=LIMIT, what="it"):
    """wait_for, by the name it has in the vm suite."""
    return wait_for(probe, timeout, what)
