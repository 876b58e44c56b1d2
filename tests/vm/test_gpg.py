"""gpg in a distro with the secret keys of the host, whose agent keeps them."""
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

if shutil.which("gpg-agent") is None:
    pytest.skip("this host has no gpg-agent", allow_module_level=True)

WHO = "ann@example.org"


class Keys:
    """A key of the host, and its agent, which is found in the user's home."""

    def __init__(self, home):
        self.directory = tempfile.mkdtemp(prefix="berth-gpg-", dir="/tmp")  # a socket's path is short
        self.environment = {**os.environ, "GNUPGHOME": self.directory}
        self.gpg("--quick-gen-key", "--passphrase", "", WHO)
        socket = self.run("gpgconf", "--list-dirs", "agent-extra-socket").stdout.decode().strip()
        self.link = Path(home) / ".gnupg/S.gpg-agent.extra"
        self.link.parent.mkdir(mode=0o700, exist_ok=True)
        self.link.symlink_to(socket)

    def run(self, *words, **options):
        return subprocess.run(words, env=self.environment, check=True, capture_output=True, timeout=180, **options)

    def gpg(self, *words, **options):
        return self.run("gpg", "--batch", "--quiet", *words, **options).stdout

    def end(self):
        self.run("gpgconf", "--kill", "gpg-agent")
        self.link.unlink()
        shutil.rmtree(self.directory)


@pytest.fixture
def keys(devel):
    made = Keys(devel.host.environment["HOME"])
    yield made
    made.end()


@pytest.fixture
def allow(devel):
    settings = devel.host.root / "config/berth/berth.conf"
    before = settings.read_text() if settings.exists() else ""
    settings.parent.mkdir(parents=True, exist_ok=True)
    yield lambda on: settings.write_text(before + (f"[distro {devel.name}]\nhost-gpg-agent=true\n" if on else ""))
    settings.write_text(before)


def test_the_hosts_keys_sign_and_decrypt(devel, keys, allow):
    def run(*words, input=b""):
        return subprocess.run([devel.host.program, "run", "-d", devel.name, "--", *words], env=devel.host.environment,
                              input=input, capture_output=True, timeout=300)

    def gpg(*words, input=b""):
        return run("gpg", "--batch", *words, input=input)
    allow(True)
    public = keys.gpg("--export", WHO)
    assert b"imported: 1" in gpg("--import", input=public).stderr
    assert WHO.encode() in gpg("--list-secret-keys").stdout
    signed = gpg("--local-user", WHO, "--sign", input=b"text")
    assert signed.returncode == 0, signed.stderr
    assert keys.gpg("--decrypt", input=signed.stdout) == b"text"
    secret = keys.gpg("--trust-model", "always", "--recipient", WHO, "--encrypt", input=b"for you")
    opened = gpg("--decrypt", input=secret)
    assert opened.stdout == b"for you", opened.stderr
    assert gpg("--export-secret-keys", WHO).stdout == b""  # the agent shows none
    allow(False)
    refused = gpg("--local-user", WHO, "--sign", input=b"text")
    assert refused.returncode != 0 and refused.stdout == b""
    assert run("sh", "-c", "cat /run/user/$(id -u)/gnupg/S.gpg-agent ~/.gnupg/S.gpg-agent 2>&1 | grep -c Assuan").stdout == b"0\n"
