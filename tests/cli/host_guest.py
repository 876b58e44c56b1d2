# SPDX-License-Identifier: MIT
"""berth-guest as the commands by which programs of a distro use the host."""
import subprocess

from conftest import BUILD
from waiting import LIMIT


class Guest:
    """A distro, and programs in it that use the host."""

    def __init__(self, box):
        self.box = box
        self.socket = box.runtime.parent / "calls"
        self.root = box.path / "guest"
        self.root.mkdir()
        box.environment = box.fake_qemu({**box.environment, "FAKE_QEMU_CALLS": self.socket,
                                         "FAKE_QEMU_SHARES": self.root})
        self.environment = {"BERTH_HOST_SOCKET": str(self.socket), "PATH": "/usr/bin:/bin", "GUEST_ONLY": "1",
                            "TERM": "xterm"}
        self.environment |= {name: box.environment[name] for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS")
                             if name in box.environment}

    def start(self, *words, name="berth-host", **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        return subprocess.Popen([name, *words], executable=BUILD / "cmd/berth-guest", env=self.environment,
                                **options)

    def __call__(self, *words, data=None, **options):
        if data is not None:
            options["stdin"] = subprocess.PIPE
        process = self.start(*words, **options)
        out, err = process.communicate(data, timeout=LIMIT)
        return process.returncode, out, err.decode()

    def refused(self, *words):
        status, out, err = self("touch", str(self.box.path / "ran"))
        assert (status, out) == (125, b"") and not (self.box.path / "ran").exists()
        assert err.startswith("berth-host: ") and err.count("\n") == 1
        for word in words:
            assert word in err
