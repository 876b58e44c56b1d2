"""Archives that GNU tar and bsdtar read give the same tree here; the table has the reason for each exception."""
import dataclasses
import os
import subprocess
import sys
import tarfile

import pytest

from conftest import SOURCE

sys.path.insert(0, str(SOURCE / "tests/lib"))
import treedigest  # noqa: E402
from raw_tar import END, GNU, USTAR, V7, base_256, entry, header, long_name, octal, pax, record, tail  # noqa: E402

ROOT = entry(b"etc/") + entry(b"etc/os-release", b"ID=test\n")
DATA = b"data\n"
AFTER = entry(b"after", b"what follows is still found\n")
LONG = b"d" * 60 + b"/" + b"e" * 60
CAMERA = b"SuperCam 3000, firmware 1.2, made by somebody in some place, all rights of theirs, and so on"


@dataclasses.dataclass
class Row:
    bytes: bytes
    refused: str = ""  # the id of the error
    why: str = ""  # the reason, if both tars decide otherwise
    names: tuple = ()  # the names, if GNU tar reads different ones


def one(data, **options):
    return Row(ROOT + data + AFTER + END, **options)


def plain(refused="", why="", **fields):
    return one(entry(b"f", DATA, **fields), refused=refused, why=why)


READ = {
    # bytes in place of GNU's sparse map, in a file that is not sparse
    "tail-camera": plain(magic=GNU, tail=CAMERA),
    "tail-first": Row(entry(b"f", DATA, magic=GNU, tail=b"x" * 167) + ROOT + END),
    "tail-full": plain(magic=GNU, tail=b"x" * 167),
    "tail-short": plain(magic=GNU, tail=b"dir"),
    "tail-digits": plain(magic=GNU, tail=b"1234567/890"),
    "tail-map": plain(magic=GNU, tail=tail(386, octal(0, 12) + octal(5, 12))),
    "tail-map-goes-on": plain(magic=GNU, tail=tail(386, b"x" * 96 + b"\1")),
    "tail-size": plain(magic=GNU, tail=tail(483, octal(3, 12))),
    "tail-contiguous": plain(magic=GNU, type=b"7", tail=b"x" * 167),
    "tail-directory": one(entry(b"d/", magic=GNU, tail=b"x" * 167)),
    "tail-symlink": one(entry(b"l", magic=GNU, type=b"2", target=b"f", tail=b"x" * 167)),
    "tail-hard-link": one(entry(b"l", magic=GNU, type=b"1", target=b"etc/os-release", tail=b"x" * 167)),
    "tail-fifo": one(entry(b"p", magic=GNU, type=b"6", tail=b"x" * 167)),
    "tail-long-name": one(long_name(b"L", LONG + b"\0") + entry(b"f", DATA, magic=GNU, tail=CAMERA)),
    "tail-times": plain(magic=GNU, tail=octal(1600000000, 12) + b"\0" + octal(1650000000, 12)),
    "tail-v7": plain(magic=V7, tail=b"x" * 167),
    "tail-behind-prefix": plain(tail=tail(500, b"x" * 12)),
    # Go before 1.8: a prefix for long names, which GNU's header does not have
    "go-prefix": one(entry(b"e" * 60, DATA, magic=GNU, tail=b"d" * 60),
                     names=(b"d" * 60, b"d" * 60 + b"/" + b"e" * 60)),
    "go-prefix-digits": one(entry(b"e" * 90, DATA, magic=GNU, tail=b"usr/1234567/890"),
                            names=(b"usr", b"usr/1234567", b"usr/1234567/890",
                                   b"usr/1234567/890/" + b"e" * 90)),
    "prefix": plain(tail=b"dir/sub"),
    # types
    "star-sparse-letter": plain(type=b"S"),
    "unknown-kind": plain(type=b"Z"),
    "no-kind": plain(magic=V7, type=b"\0"),
    "old-directory": one(entry(b"d/", magic=V7, type=b"\0")),
    "label": one(entry(b"label", type=b"V", magic=GNU)),
    "directory-with-size": one(header(b"d/", DATA)),
    "symlink-with-size": one(header(b"l", DATA, type=b"2", target=b"f")),
    "hard-link-with-size": one(header(b"l", b"ID=test\n", type=b"1", target=b"etc/os-release")),
    # numbers and checksums
    "checksum-signed": one(entry(b"f\xe9", DATA, signed=True)),
    "checksum-7-digits": plain(checksum=b"%07o\0"),
    "checksum-8-digits": plain(checksum=b"%08o"),
    "checksum-blanks": plain(checksum=b"  %o \0"),
    "empty-numbers": plain(uid=b"", gid=b"", mtime=b""),
    "full-numbers": plain(mode=b"00000644", mtime=b"000000000644"),
    **{f"numbers-{form}": plain(mode=value, uid=value, gid=value, mtime=value)
       for form, value in {"blanks": b"   644 ", "tab": b"\t644", "newline": b"644\n"}.items()},
    "numbers-256": plain(mode=base_256(0o644, 8), uid=base_256(420, 8), mtime=base_256(420, 12)),
    # extended headers
    "long-name-without-nul": one(long_name(b"L", LONG) + entry(b"f", DATA, magic=GNU)),
    "long-name-and-more": one(long_name(b"L", LONG + b"\0junk") + entry(b"f", DATA, magic=GNU)),
    "long-link-of-a-file": one(long_name(b"K", b"x\0") + entry(b"f", DATA, magic=GNU)),
    "name-full": one(entry(b"n" * 100, DATA)),
    "pax-device-of-a-file": one(pax(record(b"SCHILY.devmajor", b"x")) + entry(b"f", DATA)),
    "pax-time-and-more": one(pax(record(b"mtime", b"5.25s")) + entry(b"f", DATA),
                             why="GNU tar 1.35 and libarchive 3.8 refuse such times; their former releases read them"),
    "pax-time-exponent": one(pax(record(b"mtime", b"7e3")) + entry(b"f", DATA), why="as above"),
    "name-and-more": one(entry(b"f\0more", DATA)),
    "pax-nothing": one(pax() + entry(b"f", DATA)),
    "pax-for-gnu": one(pax(record(b"path", b"x")) + entry(b"f", DATA, magic=GNU)),
    "pax-solaris": one(pax(record(b"path", b"x"), type=b"X") + entry(b"f", DATA)),
    # ends
    "one-zero-block": Row(ROOT + AFTER + bytes(512)),
    "no-end": Row(ROOT + AFTER),
    "garbage-behind": Row(ROOT + AFTER + END + b"garbage" * 1000),
}

DAMAGED, UNSUPPORTED = "import.read.damaged", "import.read.unsupported"
REFUSED = {
    "owner-nobody": plain(uid=base_256(2**32 - 1, 8), refused="import.entry.bad-id",
                          why="no user of Linux has that number; the tars leave the file to whoever extracts"),
    "names-as-data": one(entry(b"f", b"Rename x to y\n", type=b"N", magic=GNU), refused=UNSUPPORTED,
                         why="the names of other entries are in its data; the tars leave them wrong"),
    "nul-in-a-name": one(pax(record(b"path", b"x\0y")) + entry(b"f", DATA), refused=DAMAGED,
                         why="the tars cut the name there, and may write over what has the shorter one"),
    "pax-volume": one(pax(record(b"GNU.volume.offset", b"1")) + entry(b"f", DATA), refused=UNSUPPORTED,
                      why="only the rest of the file is here; the tars make a file of it"),
    "lost+found": one(entry(b"lost+found", DATA), refused="import.tree.lost-and-found",
                      why="ext4's directory has this name"),
    "star-sparse": plain(type=b"S", tail=tail(508, b"tar"), refused=UNSUPPORTED,
                         why="a sparse map may stand before its data, which both read as data"),
    "another-volume": plain(type=b"M", magic=GNU, refused=UNSUPPORTED),
    "owner-text": plain(uid=b"x", refused=DAMAGED),
    "size-text": plain(size=b"5x", refused=DAMAGED),
    "checksum-wrong": plain(checksum=b"1%05o\0 ", refused=DAMAGED),
    "checksum-wrong-first": Row(entry(b"f", checksum=b"1%05o\0 ") + ROOT + END, refused=DAMAGED),
    "directory-with-data": one(entry(b"d/", DATA, type=b"0"), refused=DAMAGED),
    "name-leads-outside": one(entry(b"a/../f", DATA), refused="import.entry.dotdot"),
    "link-leads-outside": one(entry(b"l", type=b"1", target=b"../etc/os-release"), refused="import.entry.dotdot"),
    "no-name": one(entry(b"", DATA), refused="import.entry.empty-name"),
    "long-name-empty": one(long_name(b"L", b"\0") + entry(b"f", DATA, magic=GNU), refused=DAMAGED),
    "root-is-a-file": one(entry(b".", DATA), refused="import.entry.bad-root"),
    "name-for-nothing": Row(ROOT + long_name(b"L", LONG + b"\0") + END, refused=DAMAGED,
                            why="the entry that has the name is missing; libarchive 3.8 no longer says so"),
    "pax-cut": one(entry(b"pax", b"50 path=x\n", type=b"x") + entry(b"f", DATA), refused=DAMAGED),
    "pax-size-negative": one(pax(record(b"size", b"-5")) + entry(b"f", DATA), refused=DAMAGED),
    "below-a-file": one(entry(b"x", DATA) + entry(b"x/f", DATA), refused="import.tree.not-a-directory"),
    "over-a-full-directory": one(entry(b"d/") + entry(b"d/f", DATA) + entry(b"d", DATA),
                                 refused="import.tree.not-empty"),
    "link-to-nothing": one(entry(b"l", type=b"1", target=b"nothing"), refused="import.tree.link-missing"),
    "link-to-a-directory": one(entry(b"l", type=b"1", target=b"etc"), refused="import.tree.link-to-directory"),
    "cut": Row(ROOT + header(b"f", DATA), refused="import.read.truncated"),
}
ROWS = {**READ, **REFUSED}


def facts(tree):
    """What every tar restores for every user: no owners, and no modes of directories."""
    kept = {}
    for path, node in tree.items():
        if path not in (b"", b"lost+found"):
            file = node.kind == "file"
            kept[path] = (node.kind, node.target) + ((node.mode & 0o777, node.size, node.content, node.mtime)
                                                     if file else ())
    return kept


def extract(tool, archive, directory):
    """Extract with @tool; None if it fails."""
    directory.mkdir()
    done = subprocess.run([tool, "-xpf", archive, "-C", directory], capture_output=True,
                          env={**os.environ, "LC_ALL": "C.UTF-8"})
    return facts(treedigest.from_directory(directory)) if done.returncode == 0 else None


@pytest.mark.parametrize("name", ROWS)
def test_reads_as_other_tar_programs_do(berth, tmp_path, name):
    row, archive = ROWS[name], tmp_path / "x.tar"
    archive.write_bytes(row.bytes)
    gnu, bsd = extract("tar", archive, tmp_path / "gnu"), extract("bsdtar", archive, tmp_path / "bsd")
    result = berth("import", "x", archive)
    if row.refused:
        result.failed(1, row.refused)
        assert gnu is None or gnu != bsd or row.why, gnu
        return
    assert result.status == 0, result
    ours = facts(treedigest.from_image(berth.info("x")["disk"]))
    if row.names:
        assert sorted(ours) == sorted({b"etc", b"etc/os-release", b"after", *row.names})
    elif gnu is None and bsd is None:
        assert row.why and sorted(ours) == [b"after", b"etc", b"etc/os-release", b"f"]
    else:
        assert ours == (bsd if gnu is None else gnu)  # GNU tar 1.35 rejects times that 1.34 accepts


@pytest.mark.parametrize("name", [name for name, row in READ.items() if row.names])
def test_prefix_is_read_as_python_does(tmp_path, name):
    path = tmp_path / "x.tar"
    path.write_bytes(READ[name].bytes)
    with tarfile.open(path) as archive:
        assert os.fsencode(archive.getnames()[2]) == READ[name].names[-1]
