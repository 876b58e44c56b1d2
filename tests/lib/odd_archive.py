"""odd_archive — archives with the rare features of root file systems, by subject: PARTS."""
import io
import struct
import tarfile

REGULAR, DIRECTORY, SYMLINK, HARDLINK = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE


def raw(data):
    """Encode bytes the way tarfile takes them in names and records."""
    return data.decode("utf-8", "surrogateescape")


def acl(*entries):
    return raw(struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries))


def blocks(*pieces, size):
    """The (records, stored bytes) of a sparse file with @pieces: (offset, bytes)."""
    text = "".join(f"{number}\n" for number in [
        len(pieces) + 1, *(n for offset, data in pieces for n in (offset, len(data))), size, 0])
    stored = text.encode().ljust(-(-len(text) // 512) * 512, b"\0") + b"".join(data for _, data in pieces)
    return {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(size)}, stored


class Builder:
    """An archive with every kind of entry that a root file system can have."""

    def __init__(self, archive=None, prefix=""):
        """Make a new one, or add to @archive, an open TarFile, below @prefix."""
        self.buffer = io.BytesIO()
        self.prefix = prefix
        self.archive = archive or tarfile.open(fileobj=self.buffer, mode="w", format=tarfile.PAX_FORMAT)

    def add(self, name, kind=REGULAR, data=b"", mode=0o644, records=None, **fields):
        entry = tarfile.TarInfo(self.prefix + name)
        entry.type, entry.mode, entry.size = kind, mode, len(data)
        entry.mtime = 1700000000
        entry.pax_headers = dict(records or {})
        for field, value in fields.items():
            setattr(entry, field, value)
        if kind == HARDLINK:
            entry.linkname = self.prefix + entry.linkname
        self.archive.addfile(entry, io.BytesIO(data))

    def write(self, path):
        self.archive.close()
        path.write_bytes(self.buffer.getvalue())
        return path


def add_root(builder):
    for name in ("etc", "usr", "tmp"):
        builder.add(name, DIRECTORY, mode=0o1777 if name == "tmp" else 0o755)


def add_kinds(builder):
    builder.add("etc/os-release", data=b"ID=test\n", mode=0o6755)
    builder.add("etc/empty", mode=0)
    builder.add("etc/link", SYMLINK, linkname="os-release")
    builder.add("etc/long-link", SYMLINK, linkname="x/" * 1500 + "end")
    builder.add("etc/dev", DIRECTORY, mode=0o700)
    builder.add("etc/dev/null", tarfile.CHRTYPE, devmajor=1, devminor=3)
    builder.add("etc/dev/large", tarfile.BLKTYPE, devmajor=3000, devminor=70000)
    builder.add("etc/dev/zero", tarfile.CHRTYPE, devmajor=0, devminor=0)
    builder.add("etc/pipe", tarfile.FIFOTYPE, mode=0o600)
    builder.add("usr/a", data=b"shared")
    builder.add("usr/z", HARDLINK, linkname="usr/a")
    builder.add("etc/y", HARDLINK, linkname="usr/a")
    builder.add("usr/link", SYMLINK, linkname="a")
    builder.add("usr/same-link", HARDLINK, linkname="usr/link")


def add_names(builder):
    builder.add("etc/" + "n" * 255)
    builder.add("/".join(["etc"] + ["d" * 120] * 4 + ["file"]), data=b"deep")
    for name in (b"\xff\xfe", b"sp ace", b"back\\slash", b"tab\tbell\a", "é".encode(), b"50%"):
        builder.add(raw(b"etc/name-" + name), data=name)
    builder.add(raw(b"etc/\xff" + b"l" * 200), data=b"long and not text")
    builder.add(raw(b"etc/link-\xff"), SYMLINK, linkname=raw(b"\xff" * 120))


def add_owners_and_times(builder):
    times = {"old": "-2147483648", "before": "-1.5", "just": "-0.000000001", "fine": "1700000000.123456789",
             "tenth": "1.1", "late": "2147483648", "later": "15032385534.999999999", "zero": "0"}
    for name, time in times.items():
        builder.add(f"etc/time-{name}", records={"mtime": time})
    builder.add("etc/time-both", records={"atime": "1600000000.5", "ctime": "1650000000.25"})
    for number in (0, 1000, 65534, 2097151, 2097152, 2**31, 2**32 - 2):
        builder.add(f"etc/id-{number}", uid=number, gid=2**32 - 2 - number)


def add_attributes(builder):
    schily = "SCHILY.xattr."
    builder.add("usr/attributes", data=b"x", records={
        schily + "user.note": "a note", schily + "user.empty": "", schily + "trusted.t": "t",
        schily + "user.bytes": raw(bytes(range(1, 256))), schily + "security.selinux": "a:b:c\0"})
    builder.add("usr/capable", mode=0o755, records={
        schily + "security.capability": raw(bytes.fromhex("0100000200200000000000000000000000000000"))})
    builder.add("usr/large-attribute", records={schily + "user.large": "x" * 3000})
    builder.add("usr/attributes.d", DIRECTORY, mode=0o2775, records={schily + "user.dir": "d"})
    base = [(1, 7, 0xffffffff), (2, 5, 1000), (2, 4, 2**32 - 2), (4, 5, 0xffffffff), (8, 1, 50),
            (16, 5, 0xffffffff), (32, 0, 0xffffffff)]
    builder.add("usr/acl", mode=0o750, records={schily + "system.posix_acl_access": acl(*base)})
    builder.add("usr/acl.d", DIRECTORY, mode=0o750, records={
        schily + "system.posix_acl_access": acl(*base), schily + "system.posix_acl_default": acl(*base)})


def add_sparse(builder):
    def sparse(name, *pieces, size):
        records, stored = blocks(*pieces, size=size)
        builder.add(name, data=stored, records=records)

    builder.add("usr/zeros", data=bytes(100000))
    builder.add("usr/small-hole", data=b"a" * 4096 + bytes(8192) + b"b" * 100)
    builder.add("usr/large-hole", data=b"a" * 4096 + bytes(200000) + b"b" * 100)
    builder.add("usr/odd-size", data=bytes(70000) + b"end")
    sparse("usr/sparse-end", (0, b"start" + bytes(4091)), size=50 << 20)
    sparse("usr/sparse-start", ((50 << 20) - 4096, b"e" * 4096), size=50 << 20)
    sparse("usr/sparse-huge", (4096, b"x" * 4096), (1 << 40, b"y" * 8192), size=(1 << 44) - 8192)
    sparse("usr/sparse-nothing", size=20 << 30)


PARTS = {"kinds": add_kinds, "names": add_names, "owners-times": add_owners_and_times,
         "attributes": add_attributes, "sparse": add_sparse}


def add_all(builder):
    add_root(builder)
    for add in PARTS.values():
        add(builder)
