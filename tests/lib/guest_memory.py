"""The memory of a running guest: a file without a name that its keeper holds."""
import contextlib
import os
from pathlib import Path


def memory_file(keeper):
    """A path to it; other descriptors of @keeper come and go meanwhile."""
    sizes = {}
    for link in Path(f"/proc/{keeper}/fd").iterdir():
        with contextlib.suppress(OSError):
            if os.readlink(link).startswith("/memfd:"):
                sizes[link] = link.stat().st_size
    return max(sizes, key=sizes.get)


def memory_used(keeper):
    """Bytes of the host's that it takes."""
    return memory_file(keeper).stat().st_blocks * 512
