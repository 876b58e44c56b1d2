"""Runs tests/lib/exercise.c: alone on one file, or on the two sides of a share by turns."""
import os
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("exercise.c")
SEED = int(os.environ.get("BERTH_TEST_SEED", 0))


def seeds(count):
    """@count seeds, or what the environment says."""
    return range(SEED, SEED + int(os.environ.get("BERTH_TEST_SEEDS", count)))


def build(directory):
    program = directory / "exercise"
    subprocess.run(["cc", "-O2", "-static", "-o", program, SOURCE], check=True)
    return program


def alone(command, path, seed, count):
    """The operations done on @path by @command, which leads to the program."""
    done = subprocess.run([*command, path, str(seed), str(count), "alone"], capture_output=True, text=True, timeout=3600)
    assert done.returncode == 0, f"seed {seed}\n{done.stderr}"
    return int(done.stdout.split()[-1])


class Side:
    def __init__(self, command, path, seed, count, name):
        self.seed, self.name = seed, name
        self.process = subprocess.Popen([*command, path, str(seed), str(count), name], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1)

    def line(self):
        """Its next line; None when it is done."""
        text = self.process.stdout.readline()
        if text.startswith("done "):
            return None
        if not text:
            raise AssertionError(f"seed {self.seed}, {self.name}:\n{self.process.communicate()[1]}")
        return text

    def go(self):
        try:
            self.process.stdin.write("go\n")
        except BrokenPipeError:
            self.line()

    def end(self):
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            stream.close()
        self.process.wait(60)


def in_turns(host_command, host_path, guest_command, guest_path, seed, count):
    """The operations of both on one file."""
    host = Side(host_command, host_path, seed, count, "host")
    guest = Side(guest_command, guest_path, seed, count, "guest")
    try:
        assert host.line() == guest.line()  # what the file system can
        its, other = host, guest
        its.go()
        while its.line() is not None:
            other.go()
            its, other = other, its
        assert other.line() is None
        return count
    finally:
        host.end()
        guest.end()
