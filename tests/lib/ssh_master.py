"""An sshd in a distro, on a TCP port, and an established connection to it: OpenSSH without berth's help."""
import contextlib
import subprocess

from host import eventually
from ports import free_port

WHERE = "root@127.0.0.1"


@contextlib.contextmanager
def ssh_master(host, name, directory):
    """The options with which `ssh` and `scp` go through that connection to WHERE. Keys are made in @directory."""
    key, control, port = directory / "key", directory / "control", free_port()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    host.shell(name, "mkdir -p -m 700 /root/.ssh && cat >/root/.ssh/authorized_keys",
               input=key.with_suffix(".pub").read_text())
    host.shell(name, f"mkdir -p /run/sshd && /usr/sbin/sshd -p {port} -o ListenAddress=0.0.0.0")
    options = ["-F", "none", "-o", f"ControlPath={control}", "-o", "StrictHostKeyChecking=no",
               "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", f"IdentityFile={key}",
               "-o", f"Port={port}"]
    with master(options, WHERE):
        yield options


@contextlib.contextmanager
def master(options, where, **settings):
    """A connection to @where that serves every client with @options, of which ControlPath is one."""
    command = ["ssh", *options, "-M", "-N", "-f", where]
    eventually(lambda: subprocess.run(command, check=False, stdin=subprocess.DEVNULL, **settings).returncode == 0,
               what="the connection")
    try:
        yield
    finally:
        subprocess.run(["ssh", *options, "-O", "exit", where], check=False, capture_output=True, **settings)
