"""raw_tar — builds archives byte by byte, valid and malformed: the caller sets each header field."""
FIELDS = {"name": (0, 100), "mode": (100, 8), "uid": (108, 8), "gid": (116, 8), "size": (124, 12),
          "mtime": (136, 12), "type": (156, 1), "target": (157, 100), "magic": (257, 8), "tail": (345, 167)}
GNU, USTAR, V7 = b"ustar  \0", b"ustar\00000", bytes(8)
END = bytes(1024)


def octal(value, size):
    return b"%0*o" % (size - 1, value)


def base_256(value, size):
    return (value | 1 << (8 * size - 1)).to_bytes(size, "big")


def header(name, data=b"", checksum=b"%06o\0 ", signed=False, **fields):
    """Build a header for @data; @fields: bytes of a field. @checksum: its encoding."""
    block = bytearray(512)
    values = {"name": name, "mode": octal(0o755 if name.endswith(b"/") else 0o644, 8), "uid": octal(0, 8),
              "gid": octal(0, 8), "size": octal(len(data), 12), "mtime": octal(1700000000, 12),
              "type": b"5" if name.endswith(b"/") else b"0", "magic": USTAR, **fields}
    for field, value in values.items():
        at, size = FIELDS[field]
        assert len(value) <= size, field
        block[at:at + len(value)] = value
    block[148:156] = b" " * 8
    total = sum(byte - 256 if signed and byte > 127 else byte for byte in block)
    block[148:156] = (checksum % total).ljust(8, b"\0")
    return bytes(block)


def entry(name, data=b"", **fields):
    return header(name, data, **fields) + data + bytes(-len(data) % 512)


def record(key, value):
    rest = len(key) + len(value) + 3
    length = rest
    while len(str(length)) + rest != length:
        length = len(str(length)) + rest
    return b"%d %s=%s\n" % (length, key, value)


def pax(*records, type=b"x"):
    return entry(b"pax", b"".join(records), type=type)


def long_name(kind, name):
    return entry(b"././@LongLink", name, type=kind, magic=GNU)


def tail(at, data):
    """The header's bytes from 345 on: zeros with @data at byte @at of the header."""
    return bytes(at - 345) + data
