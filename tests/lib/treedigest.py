#!/usr/bin/python3
"""What a tree of files is, read from a tar archive by our own eyes, from an ext4 image by debugfs, or as a
kernel shows it.

    tests/lib/treedigest.py ARCHIVE|IMAGE|DIRECTORY    one line a file, sorted; equal for equal trees

Neither libarchive nor the code under test has a part in it. A tree is a dictionary from path (bytes, ""
is the root) to a Node. Content is hashed by blocks that are not all zeros, so that a hole and zeros are
the same, and a sparse file of terabytes costs what it holds.
"""
import base64
import bz2
import gzip
import hashlib
import lzma
import os
import re
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote_to_bytes

BLOCK = 4096
TYPES = {b"0": "file", b"\0": "file", b"7": "file", b"2": "symlink", b"3": "char", b"4": "block",
         b"5": "directory", b"6": "fifo", b"1": "hardlink"}
ACLS = {b"SCHILY.acl.access": b"system.posix_acl_access",
        b"SCHILY.acl.default": b"system.posix_acl_default"}
TAGS = {b"user": (1, 2), b"group": (4, 8), b"mask": (16, 16), b"other": (32, 32)}


@dataclass
class Node:
    kind: str
    mode: int = 0
    uid: int = 0
    gid: int = 0
    size: int = 0
    content: str = ""
    target: bytes = b""
    device: tuple = (0, 0)
    mtime: int = 0  # nanoseconds
    atime: int = 0
    ctime: int = 0
    xattrs: dict = field(default_factory=dict)
    group: bytes = b""  # of a file with several names, the first in sort order


class Content:
    """A hash of (offset, block) for every nonzero block."""

    def __init__(self):
        self.hash, self.block, self.at = hashlib.sha256(), bytearray(BLOCK), None

    def flush(self):
        if self.at is not None and any(self.block):
            self.hash.update(b"%d:" % self.at + self.block)
        self.block, self.at = bytearray(BLOCK), None

    def add(self, offset, data):
        view = memoryview(data)
        while view:
            number, start = divmod(offset, BLOCK)
            if self.at != number:
                self.flush()
                self.at = number
            part = view[:BLOCK - start]
            self.block[start:start + len(part)] = part
            offset, view = offset + len(part), view[len(part):]

    def end(self):
        self.flush()
        return self.hash.hexdigest()


# --- tar ---

def number(raw):
    """Parse octal, or base 256 if the highest bit is set."""
    if raw[:1] == b"\xff":
        return int.from_bytes(raw, "big", signed=True)
    if raw[:1] >= b"\x80":
        return int.from_bytes(raw, "big") & (1 << (8 * len(raw) - 1)) - 1
    text = raw.strip(b" \0")
    return int(text, 8) if text else 0


def nanoseconds(text):
    found = re.fullmatch(rb"(-?)(\d+)(?:\.(\d*))?", text)
    value = int(found[2]) * 10**9 + int((found[3] or b"").ljust(9, b"0")[:9])
    return -value if found[1] else value


def records(data):
    while data:
        length, _, rest = data.partition(b" ")
        record, data = data[len(length) + 1:int(length)], data[int(length):]
        assert record.endswith(b"\n"), record
        key, _, value = record[:-1].partition(b"=")
        yield key, value


def clean(path):
    return b"/".join(part for part in path.split(b"/") if part not in (b"", b"."))


def pack_acl(entries):
    body = b"".join(struct.pack("<HHI", *entry)
                    for entry in sorted(entries, key=lambda entry: (entry[0], entry[2])))
    return struct.pack("<I", 2) + body


def acl_from_text(text):
    entries = []
    for item in re.split(rb"[,\n]", text):
        tag, name, words = (part.strip() for part in item.split(b":")[:3])
        permissions = sum(bit for letter, bit in ((b"r", 4), (b"w", 2), (b"x", 1)) if letter in words)
        plain, named = TAGS[tag]
        entries.append((named if name else plain, permissions, int(name) if name else 0xffffffff))
    return pack_acl(entries)


def xattrs_of(pax):
    found = {}
    for key, value in pax.items():
        if key.startswith(b"LIBARCHIVE.xattr."):
            padded = value + b"=" * (-len(value) % 4)
            found[unquote_to_bytes(key[len("LIBARCHIVE.xattr."):])] = base64.b64decode(padded)
    for key, value in pax.items():
        if key.startswith(b"SCHILY.xattr."):
            found[key[len("SCHILY.xattr."):]] = value
        elif key in ACLS:
            found[ACLS[key]] = acl_from_text(value)
    return found


class Tar:
    def __init__(self, stream):
        self.stream, self.globals = stream, {}

    def read(self, size):
        data = self.stream.read(size)
        assert len(data) == size, "the archive is cut"
        return data

    def padded(self, size):
        return self.read(size + -size % 512)[:size]

    def headers(self):
        """Yield (header, pax) for each entry, before its data is read."""
        pax = {}
        while True:
            header = self.read(512)
            if not any(header):
                return
            total = sum(header[:148]) + 8 * 32 + sum(header[156:])
            assert number(header[148:156]) == total, "a header's checksum is wrong"
            kind, size = header[156:157], number(header[124:136])
            if kind == b"x":
                pax.update(records(self.padded(size)))
            elif kind == b"g":
                self.globals.update(records(self.padded(size)))
            elif kind in b"LK":
                pax[b"path" if kind == b"L" else b"linkpath"] = self.padded(size).rstrip(b"\0")
            else:
                yield header, {**self.globals, **pax}
                pax = {}

    def number_line(self, left):
        """Parse a line of a sparse map; returns the number and the bytes consumed."""
        line = b""
        while not line.endswith(b"\n"):
            if not left:
                left.extend(self.read(512))
                self.used += 512
            line += bytes([left.pop(0)])
        return int(line)

    def sparse_map(self):
        left, self.used = bytearray(), 0
        count = self.number_line(left)
        return [(self.number_line(left), self.number_line(left)) for _ in range(count)]

    def content(self, pax, stored):
        """Read a file's data; returns (size, hash)."""
        content = Content()
        if pax.get(b"GNU.sparse.major") == b"1":
            size, pieces = int(pax[b"GNU.sparse.realsize"]), self.sparse_map()
            assert sum(length for _, length in pieces) + self.used == stored
        else:
            size, pieces = stored, [(0, stored)]
        length_of_all = sum(length for _, length in pieces)
        for offset, length in pieces:
            assert offset + length <= size
            while length:
                part = self.read(min(length, 1 << 20))
                content.add(offset, part)
                offset, length = offset + len(part), length - len(part)
        self.read(-length_of_all % 512)
        return size, content.end()

    def node(self, header, pax):
        kind = TYPES[header[156:157]]
        stored = int(pax[b"size"]) if b"size" in pax else number(header[124:136])
        mtime = nanoseconds(pax[b"mtime"]) if b"mtime" in pax else number(header[136:148]) * 10**9
        node = Node(kind, number(header[100:108]) & 0o7777, mtime=mtime, xattrs=xattrs_of(pax))
        node.uid = int(pax.get(b"uid", number(header[108:116])))
        node.gid = int(pax.get(b"gid", number(header[116:124])))
        node.atime = nanoseconds(pax[b"atime"]) if b"atime" in pax else mtime
        node.ctime = nanoseconds(pax[b"ctime"]) if b"ctime" in pax else mtime
        if kind == "symlink":
            node.mode = 0o777
        if kind in ("symlink", "hardlink"):
            node.target = pax.get(b"linkpath", header[157:257].rstrip(b"\0"))
        if kind in ("char", "block"):
            node.device = number(header[329:337]), number(header[337:345])
        if kind == "file":
            node.size, node.content = self.content(pax, stored)
        elif stored:
            self.padded(stored)
        return node

    def path(self, header, pax):
        name, prefix = header[:100].split(b"\0")[0], header[345:500].split(b"\0")[0]
        if header[257:263] == b"ustar\0" and prefix:
            name = prefix + b"/" + name
        return clean(pax.get(b"GNU.sparse.name", pax.get(b"path", name)))

    def tree(self):
        tree, links = {}, []
        for header, pax in self.headers():
            path, node = self.path(header, pax), self.node(header, pax)
            if node.kind == "hardlink":
                links.append((path, clean(node.target)))
            else:
                tree[path] = node
        for path, target in links:
            tree[path] = tree[target]
        return tree


def open_archive(path):
    head = Path(path).open("rb").read(6)
    if head.startswith(b"\x1f\x8b"):
        return gzip.open(path)
    if head.startswith(b"\xfd7zXZ"):
        return lzma.open(path)
    if head.startswith(b"BZh"):
        return bz2.open(path)
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        return subprocess.Popen(["zstd", "-dcq", path], stdout=subprocess.PIPE).stdout
    return open(path, "rb")


def from_tar(path):
    """Read the tree of an archive, compressed or not; adds missing parents."""
    with open_archive(path) as stream:
        tree = Tar(stream).tree()
    for name in list(tree):
        while b"/" in name:
            name = name.rpartition(b"/")[0]
            tree.setdefault(name, Node("directory", 0o755))
    tree.setdefault(b"", Node("directory", 0o755))
    tree.pop(b"lost+found", None)
    return grouped(tree)


def grouped(tree):
    """Identify hard links by the first of their names."""
    first = {}
    for path in sorted(tree):
        first.setdefault(id(tree[path]), []).append(path)
    for names in first.values():
        if len(names) > 1:
            tree[names[0]].group = names[0]
    return tree


# --- images ---

KINDS = {0o10: "file", 0o04: "directory", 0o12: "symlink", 0o02: "char", 0o06: "block", 0o01: "fifo",
         0o14: "socket"}


class Image:
    """Reads an image through debugfs, in batches of requests."""

    def __init__(self, path, directory):
        self.path, self.directory, self.nodes = path, Path(directory), {}

    def ask(self, requests):
        """Return the answer to each request, as bytes."""
        script = self.directory / "requests"
        script.write_bytes(b"".join(request + b"\n" for request in requests))
        output = subprocess.run(["/usr/sbin/debugfs", "-f", script, self.path], check=True,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        return re.split(rb"^debugfs: .*\n", output, flags=re.M)[1:]

    def names(self):
        """path -> inode number. Names with newlines are not supported."""
        found, level = {b"": 2}, {b"": 2}
        while level:
            answers = self.ask([b"ls -p <%d>" % inode for inode in level.values()])
            following = {}
            for parent, answer in zip(level, answers):
                for line in answer.splitlines():
                    parts = line.split(b"/")
                    if len(parts) < 7 or parts[5] in (b".", b"..", b"") or parts[1] == b"0":
                        continue
                    path = parent + b"/" + parts[5] if parent else parts[5]
                    if path == b"lost+found":
                        continue
                    found[path] = int(parts[1])
                    if parts[2].startswith(b"04"):
                        following[path] = int(parts[1])
            level = following
        return found

    def stat(self, answer):
        def find(pattern):
            return re.search(pattern, answer)

        def time(which):
            low, extra = (int(word, 16) for word in
                          find(rb"\b" + which + rb": 0x([0-9a-f]+):([0-9a-f]+)").groups())
            seconds = (low - (1 << 32) if low >> 31 else low) + ((extra & 3) << 32)
            return seconds * 10**9 + (extra >> 2)

        words = {b"regular": "file", b"directory": "directory", b"symlink": "symlink",
                 b"character": "char", b"block": "block", b"FIFO": "fifo", b"socket": "socket"}
        node = Node(words[find(rb"Type: (\w+)")[1]], int(find(rb"Mode: +(\d+)")[1], 8) & 0o7777)
        node.uid, node.gid = (int(find(word + rb": +(-?\d+)")[1]) & 0xffffffff for word in (b"User", b"Group"))
        node.mtime, node.atime, node.ctime = time(b"mtime"), time(b"atime"), time(b"ctime")
        if node.kind in ("char", "block"):
            device = find(rb"Device major/minor number: (\d+):(\d+)")
            node.device = int(device[1]), int(device[2])
        if node.kind in ("file", "symlink"):
            node.size = int(find(rb"Size: (\d+)")[1])
        return node

    def dump(self, files):
        """inode -> content, of regular files and symlinks."""
        for inode in files:
            (self.directory / str(inode)).unlink(missing_ok=True)
        self.ask([b"dump <%d> %s" % (inode, bytes(self.directory / str(inode))) for inode in files])
        for inode, node in files.items():
            path = self.directory / str(inode)
            content = Content()
            with path.open("rb") as stream:
                offset = 0
                while data := stream.read(1 << 20):
                    content.add(offset, data)
                    offset += len(data)
            assert offset == node.size
            node.content = content.end()
            path.unlink()

    def read_xattrs(self, nodes):
        names = {}
        for inode, answer in zip(nodes, self.ask([b"ea_list <%d>" % inode for inode in nodes])):
            for name in re.findall(rb"^  ([^\s=]+)(?: \(\d+\)|=| = )", answer, flags=re.M):
                names.setdefault(inode, []).append(name)
        wanted = [(inode, name) for inode in names for name in names[inode]]
        self.ask([b"ea_get -f %s <%d> %s" % (bytes(self.directory / f"ea{i}"), inode, name)
                  for i, (inode, name) in enumerate(wanted)])
        for i, (inode, name) in enumerate(wanted):
            value = (self.directory / f"ea{i}").read_bytes()
            if name.startswith(b"system.posix_acl_"):
                entries = [struct.unpack_from("<HHI", value, at) for at in range(4, len(value), 8)]
                value = pack_acl((tag, permissions, id if tag in (2, 8) else 0xffffffff)
                                 for tag, permissions, id in entries)
            nodes[inode].xattrs[name] = value

    def tree(self):
        names = self.names()
        inodes = sorted(set(names.values()))
        nodes = {inode: self.stat(answer) for inode, answer in
                 zip(inodes, self.ask([b"stat <%d>" % inode for inode in inodes]))}
        self.dump({inode: node for inode, node in nodes.items() if node.kind == "file"})
        for inode, node in nodes.items():
            if node.kind == "symlink":
                node.mode = 0o777
        links = {inode: node for inode, node in nodes.items() if node.kind == "symlink"}
        for inode, answer in zip(links, self.ask([b"stat <%d>" % inode for inode in links])):
            fast = re.search(rb'Fast link dest: "(.*)"', answer)
            if fast:
                links[inode].target = fast[1]
            else:
                answer = self.ask([b"cat <%d>" % inode])[0]
                links[inode].target = answer[:links[inode].size]
            links[inode].size = 0
        self.read_xattrs(nodes)
        return grouped({path: nodes[inode] for path, inode in names.items()})


def from_image(path):
    """Read the tree of an ext4 image with debugfs. Names with newlines are not supported."""
    with tempfile.TemporaryDirectory() as directory:
        return Image(path, directory).tree()


# --- mounted ---

def from_directory(path):
    """Read the tree below @path from the mounted file system."""
    tree, seen = {}, {}
    for name in [b"", *(os.path.relpath(os.path.join(base, name), os.fsencode(path))
                        for base, directories, files in os.walk(os.fsencode(path))
                        for name in directories + files)]:
        full = os.path.join(os.fsencode(path), name)
        status = os.lstat(full)
        key = status.st_ino
        if key not in seen:
            seen[key] = node_of(full, status)
        tree[name] = seen[key]
    return grouped(tree)


def node_of(full, status):
    node = Node(KINDS[status.st_mode >> 12], status.st_mode & 0o7777,
                           status.st_uid, status.st_gid, mtime=status.st_mtime_ns)
    node.atime = node.ctime = node.mtime  # set by the kernel at creation
    if node.kind in ("char", "block"):
        node.device = os.major(status.st_rdev), os.minor(status.st_rdev)
    if node.kind == "symlink":
        node.target = os.readlink(full)
    if node.kind == "file":
        node.size = status.st_size
        node.content = content_of(full, status.st_size)
    for name in os.listxattr(full, follow_symlinks=False):
        node.xattrs[os.fsencode(name)] = os.getxattr(full, name, follow_symlinks=False)
    return node


def content_of(full, size):
    content, offset = Content(), 0
    with open(full, "rb") as stream:
        while offset < size:
            try:
                offset = os.lseek(stream.fileno(), offset, os.SEEK_DATA)
            except OSError:
                break
            data = os.pread(stream.fileno(), 1 << 20, offset)
            content.add(offset, data)
            offset += len(data)
    return content.end()


def lines(tree):
    """Format one line per file, sorted: equal for equal trees."""
    for path in sorted(tree):
        node = tree[path]
        xattrs = ",".join(f"{name!r}={node.xattrs[name].hex()}" for name in sorted(node.xattrs))
        yield (f"{path!r} {node.kind} {node.mode:04o} {node.uid}:{node.gid} {node.size} {node.content[:16]} "
               f"{node.target!r} {node.device[0]}:{node.device[1]} m={node.mtime} a={node.atime} "
               f"c={node.ctime} [{xattrs}] {node.group!r}")


def read(path):
    if Path(path).is_dir():
        return from_directory(path)
    with open(path, "rb") as stream:
        stream.seek(1024 + 56)
        is_image = stream.read(2) == b"\x53\xef"
    return from_image(path) if is_image else from_tar(path)


if __name__ == "__main__":
    sys.stdout.writelines(line + "\n" for line in lines(read(sys.argv[1])))
