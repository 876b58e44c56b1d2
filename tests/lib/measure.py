"""measure — times, and the memory of processes."""
import time
from pathlib import Path


def timed(action):
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def rollup(pid, field):
    """MiB: the sum of the fields of process @pid's mappings whose names begin with @field."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def pss(pid):
    """MiB in proportion."""
    return rollup(pid, "Pss:")


def private(pid):
    """MiB that no other process has in its page tables."""
    return rollup(pid, "Private_")


def below(pid):
    """The processes of @pid, with itself."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [pid, *(each for child in text.split() for each in below(int(child)))]
