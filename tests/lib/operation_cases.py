"""The cases of operations.py, first part: what holds for every path, and what makes files. The format is described there."""
import itertools

OTHER, OTHER_GROUP = 54321, 54322

# The written list of what differs on a share.
WHY = {
    "owner": "All files are the host's user's: nobody in a distro can give them away, and files of others are his too.",
    "device": "A device node would be a device of the host.",
    "host": "The host's permissions hold as well: a file that is closed to the host's user is closed to all in a distro.",
    "read-only": "The mount as a whole can be written, so the guest's kernel does not know that a share is read-only: "
                 "it asks whether the name is there first, and access() does not say EROFS.",
}

NAMES = {"long": "n" * 255, "longer": "n" * 256, "path": "/".join(["n" * 255] * 16) + "/n", "dots": "./" * 2047 + "f"}

cases = {}


def case(name, text, users=False, read_only=None):
    """@users: it needs users other than the one of the tests. @read_only: lines that prepare a read-only place."""
    assert name not in cases, name
    cases[name] = (text, users, read_only)


# ---- what every operation with a path answers ----

NEEDS = {  # the path is of something that must be there
    "open": "open {p} rdonly 0", "write": "open {p} wronly 0", "chmod": "chmod {p} 0644", "unlink": "unlink {p}",
    "rmdir": "rmdir {p}", "truncate": "truncate {p} 1", "utimes": "utimes {p} 1 1", "lutimes": "lutimes {p} 1 1",
    "stat": "stat {p} type", "lstat": "get {p} type", "readlink": "readlink {p}", "access": "access {p} r",
    "chown": "chown {p} {uid} {gid}", "lchown": "lchown {p} {uid} {gid}", "rename from": "rename {p} g", "link from": "link {p} g",
}
MAKES = {  # the path is of something new
    "create": "create {p} 0644", "open to create": "open {p} creat,wronly 0644", "mkdir": "mkdir {p} 0755",
    "mkfifo": "mknod {p} p 0644", "mknod of a socket": "mknod {p} s 0644", "mknod of a file": "mknod {p} f 0644",
    "symlink": "symlink t {p}", "link": "link f {p}", "rename to": "rename f {p}",
}
TYPES = {"file": "create {p} 0644", "directory": "mkdir {p} 0755", "fifo": "mknod {p} p 0644", "socket": "mknod {p} s 0644",
         "symlink": "symlink f {p}", "dangling symlink": "symlink none {p}"}

for name, line in {**NEEDS, **MAKES}.items():
    def at(path, line=line):
        return line.replace("{p}", path)
    case(f"{name}: paths that lead nowhere", f"""
        create f 0644
        {at('f/x')} -> ENOTDIR
        {at('none/x')} -> ENOENT
        {at('{longer}')} -> ENAMETOOLONG
        {at('{longer}/x')} -> ENAMETOOLONG
        {at('{path}')} -> ENAMETOOLONG
        {at('@bad')} -> EFAULT
        {at('@empty')} -> ENOENT
        symlink two one
        symlink one two
        {at('one/x')} -> ELOOP
        symlink none dangling
        {at('dangling/x')} -> ENOENT
        get f type,mode,size -> file,0644,0""")

for name, line in NEEDS.items():
    case(f"{name}: missing", f"{line.replace('{p}', 'none')} -> ENOENT")

for name in ["open", "write", "chmod", "truncate", "utimes", "stat", "access", "chown"]:
    line = NEEDS[name].replace("{p}", "one")
    case(f"{name}: a loop", f"symlink two one\nsymlink one two\n{line} -> ELOOP")

for (name, line), (kind, make) in itertools.product(MAKES.items(), TYPES.items()):
    if name in ("open to create", "rename to"):
        continue
    case(f"{name}: over a {kind}", f"""
        create f 0600
        {make.replace('{p}', 'x')}
        get x type -> ?
        {line.replace('{p}', 'x')} -> EEXIST
        get x type -> ?""")

for name, line in MAKES.items():
    kind = {"create": "file", "open to create": "file", "mkdir": "dir", "mkfifo": "fifo", "mknod of a socket": "socket",
            "symlink": "symlink"}.get(name, "file")
    case(f"{name}: the longest name", f"""
        create f 0600
        {line.replace('{p}', '{long}')}
        get {{long}} type -> {kind}""")
    moved = name in ("link", "rename to")
    case(f"{name}: times", f"""
        mkdir d 0755
        create f 0600
        remember d
        remember f
        tick
        {line.replace('{p}', 'd/x')}
        changes d -> mc
        {'changes d/x f -> c' if moved else 'get d/x type -> ' + kind}""")
    case(f"{name}: no times change where it fails", f"""
        mkdir d 0755
        mkdir d/x 0755
        create d/x/y 0644
        create f 0600
        remember d
        remember d/x
        tick
        {line.replace('{p}', 'd/x')} -> {'EISDIR' if name in ('open to create', 'rename to') else 'EEXIST'}
        changes d -> -
        changes d/x -> -""")

for name, line in MAKES.items():
    case(f"{name}: without permission", f"""
        mkdir d 0755
        create f 0666
        other: {line.replace('{p}', 'd/x')} -> EACCES
        chmod d 0666
        {line.replace('{p}', 'd/x')} -> EACCES
        chmod d 0555
        {line.replace('{p}', 'd/x')} -> EACCES
        chmod d 0300
        {line.replace('{p}', 'd/x')}
        chmod d 0755
        get d/x type -> ?""", users=True)

for name, line in NEEDS.items():
    kind = {"rmdir": "mkdir d/x 0755", "readlink": "symlink t d/x"}.get(name, "create d/x 0666")
    case(f"{name}: no search permission", f"""
        mkdir d 0755
        {kind}
        chmod d 0666
        {line.replace('{p}', 'd/x')} -> EACCES
        other: {line.replace('{p}', 'd/x')} -> EACCES
        root: get d type,mode -> dir,0666
        chmod d 0700
        {line.replace('{p}', 'd/x')} -> ?""", users=True)

READ_ONLY = "create f 0666\nmkdir d 0777\nmkdir d/e 0777\nsymlink f s\nmknod p p 0666"
for name, line in MAKES.items():
    case(f"{name}: read-only", f"""
        {line.replace('{p}', 'd/x')} -> EROFS
        {line.replace('{p}', 'none/x')} -> ENOENT
        get d/x type -> ENOENT""", read_only=READ_ONLY)
for name in ["write", "chmod", "unlink", "truncate", "utimes", "chown", "rename from", "link from"]:
    case(f"{name}: read-only", f"""
        {NEEDS[name].replace('{p}', 'f')} -> EROFS
        {NEEDS[name].replace('{p}', 'none')} -> {'EROFS / ENOENT read-only' if name in ('unlink', 'rename from') else 'ENOENT'}
        get f type,mode,size -> file,0666,0""", read_only=READ_ONLY)
case("rmdir: read-only", "rmdir d/e -> EROFS\nrmdir none -> EROFS / ENOENT read-only", read_only=READ_ONLY)
case("open: read-only", """
    open f rdonly 0
    open f rdwr 0 -> EROFS
    open f rdonly,trunc 0 -> EROFS
    open x creat,rdonly 0644 -> EROFS
    open f creat,rdonly 0644
    open p rdwr,nonblock 0
    access f r
    access f w -> EROFS / 0 read-only
    readlink s -> f""", read_only=READ_ONLY)

# ---- open ----

case("open: creates", """
    open f creat,wronly 0640
    get f type,mode,size,nlink,uid,gid -> file,0640,0,1,{uid},{gid}
    open f creat,wronly 0777
    get f mode -> 0640
    open f creat,excl,wronly 0777 -> EEXIST
    open {dots} rdonly 0""")
case("open: truncates", """
    create f 0644
    write f wronly hello
    remember f
    tick
    open f wronly,trunc 0
    changes f -> mc
    get f size -> 0
    read f -> @empty""")
case("open: an empty file is truncated", """
    create f 0644
    remember f
    tick
    open f wronly,trunc 0
    changes f -> mc""")
case("open: without truncation no time changes", """
    create f 0644
    remember f
    tick
    open f creat,rdwr 0644
    changes f -> -""")
case("open: appends", """
    create f 0644
    write f wronly one
    write f wronly,append two
    read f -> onetwo
    write f wronly ONE
    read f -> ONEtwo""")
case("open: kinds", """
    mkdir d 0755
    create f 0644
    symlink f s
    symlink d sd
    symlink none dangling
    mknod p p 0644
    mknod k s 0644
    open d rdonly 0
    open d wronly 0 -> EISDIR
    open d rdwr 0 -> EISDIR
    open d rdonly,trunc 0 -> EISDIR
    open d creat,rdonly 0644 -> EISDIR
    open d creat,excl,wronly 0644 -> EEXIST
    open d/ rdonly 0
    open f/ rdonly 0 -> ENOTDIR
    open new/ creat,wronly 0644 -> EISDIR
    open f rdonly,directory 0 -> ENOTDIR
    open s rdonly 0
    open s rdonly,nofollow 0 -> ELOOP
    open sd rdonly,directory 0
    open sd rdonly,directory,nofollow 0 -> ENOTDIR
    open s/x rdonly 0 -> ENOTDIR
    open dangling rdonly 0 -> ENOENT
    open dangling creat,excl,wronly 0644 -> EEXIST
    open dangling creat,wronly 0644
    get none type -> file
    open p wronly,nonblock 0 -> ENXIO
    open p rdonly,nonblock 0
    open k rdonly 0 -> ENXIO
    open . rdonly 0
    open . wronly 0 -> EISDIR""")
case("open: a running program", """
    busy program
    open program rdonly 0
    open program wronly 0 -> ETXTBSY
    open program rdwr 0 -> ETXTBSY
    truncate program 1 -> ETXTBSY
    rename program other
    unlink other
    idle""")
case("open: the modes of new files", "\n".join(
    f"create f{mode:04o} {mode:04o}\nget f{mode:04o} mode -> {mode:04o}" for mode in range(0, 0o1000, 0o101)))
for user, shift, rest in (("owner", 6, 0), ("owner", 6, 0o77), ("member", 3, 0o700), ("other", 0, 0o770)):
    lines = ["create f 0600", "write f wronly text"]
    for bits in range(8):
        lines.append(f"chmod f {bits << shift | rest:04o}")
        for flags, wanted in (("rdonly", 4), ("wronly", 2), ("rdwr", 6)):
            lines.append(f"{user}: open f {flags} 0 -> {0 if bits & wanted == wanted else 'EACCES'}")
        for letters, wanted in (("r", 4), ("w", 2), ("x", 1), ("rwx", 7)):
            lines.append(f"{user}: access f {letters} -> {0 if bits & wanted == wanted else 'EACCES'}")
        lines.append(f"{user}: truncate f 4 -> {0 if bits & 2 else 'EACCES'}")
    case(f"open: permissions of the {user}, {rest:04o}", "\n".join(lines), users=True)
case("open: closed to the owner", """
    create f 0066
    other: open f rdwr 0 -> 0 / EACCES host
    member: open f rdonly 0 -> 0 / EACCES host
    other: truncate f 0 -> 0 / EACCES host
    root: open f rdwr 0 -> 0 / EACCES host
    other: access f rw
    open f rdonly 0 -> EACCES
    mkdir d 0077
    other: create d/f 0600 -> 0 / EACCES host
    create d/g 0600 -> EACCES""", users=True)
case("open: root may all but execute", """
    create f 0600
    root: open f rdwr 0
    root: access f rw
    root: access f x -> EACCES
    chmod f 0100
    root: access f x""", users=True)
case("open: made without rights, kept open", """
    hold f creat,excl,rdwr 0000
    pwrite 0 text
    pread 0 10 -> text
    fget mode,size -> 0000,4
    open f rdonly 0 -> EACCES
    drop""", users=True)

# ---- mkdir, rmdir ----

case("mkdir: modes", "\n".join(
    f"mkdir d{mode:04o} {mode:04o}\nget d{mode:04o} type,mode,uid,gid -> dir,{mode:04o},{{uid}},{{gid}}"
    for mode in (0o000, 0o111, 0o755, 0o700, 0o777, 0o1777)))
case("mkdir: names", """
    mkdir d/ 0755
    mkdir . 0755 -> EEXIST
    mkdir .. 0755 -> EEXIST
    mkdir / 0755 -> EEXIST
    mkdir d/. 0755 -> EEXIST
    mkdir d/e/f 0755 -> ENOENT
    symlink none s
    mkdir s 0755 -> EEXIST
    mkdir s/ 0755 -> EEXIST""")
case("rmdir: kinds", """
    mkdir d 0755
    create d/f 0644
    symlink d s
    mknod p p 0644
    rmdir d -> ENOTEMPTY
    rmdir s -> ENOTDIR
    rmdir s/ -> ENOTDIR
    rmdir d/f -> ENOTDIR
    rmdir p -> ENOTDIR
    rmdir d/. -> EINVAL
    rmdir . -> EINVAL
    mkdir d/e 0755
    rmdir d/e/.. -> ENOTEMPTY
    rmdir d/e/
    unlink d/f
    rmdir d
    get d type -> ENOENT""")
case("rmdir: times", """
    mkdir d 0755
    mkdir d/e 0755
    remember d
    tick
    rmdir d/e
    changes d -> mc""")
case("rmdir: an open directory", """
    mkdir d 0755
    hold d rdonly,directory 0
    rmdir d
    fget type -> dir
    drop""")
case("rmdir: another's", """
    mkdir d 0755
    mkdir d/e 0777
    other: rmdir d/e -> EACCES
    chmod d 0777
    other: rmdir d/e
    mkdir d/e 0777
    chmod d 1777
    other: rmdir d/e -> EPERM
    rmdir d/e""", users=True)

# ---- mknod ----

for name, letter, kind in (("fifo", "p", "fifo"), ("socket", "s", "socket"), ("file", "f", "file")):
    case(f"mknod: a {name}", "\n".join(
        f"mknod n{mode:04o} {letter} {mode:04o}\nget n{mode:04o} type,mode,uid,gid,nlink -> {kind},{mode:04o},{{uid}},{{gid}},1"
        for mode in (0o000, 0o644, 0o755, 0o151)))
    case(f"mknod: attributes of a {name}", f"""
        mknod n {letter} 0644
        remember n
        tick
        chmod n 0600
        changes n -> c
        utimes n 100 200
        get n atime,mtime -> 100.123456789,200.123456789
        link n m
        get m type,nlink -> {kind},2
        rename m o
        unlink n
        get o type,nlink -> {kind},1
        unlink o""")
case("mknod: devices by a user", "mknod c c 0644 -> EPERM\nmknod b b 0644 -> EPERM", users=True)
case("mknod: devices by root", """
    chmod . 0777
    root: mknod c c 0644 -> 0 / EPERM device
    root: mknod b b 0644 -> 0 / EPERM device""", users=True)

# ---- symlink, readlink ----

case("symlink: targets", """
    symlink a/b/c s
    readlink s -> a/b/c
    get s type,size,uid,gid,nlink -> symlink,5,{uid},{gid},1
    symlink @empty e -> ENOENT
    symlink {path} p -> ENAMETOOLONG
    symlink {dots} t
    get t size -> 4095
    readlink t -> {dots}
    create f 0644
    readlink f -> EINVAL
    readlink . -> EINVAL
    symlink .. up
    stat up type -> dir
    readlink up -> ..""")
case("symlink: it is followed, and not", """
    create f 0644
    symlink f s
    chmod s 0600
    get f mode -> 0600
    get s type -> symlink
    truncate s 5
    get f size -> 5
    unlink s
    get f type -> file""")
case("symlink: times of its own", """
    create f 0644
    symlink f s
    remember s
    remember f
    tick
    lutimes s 100 200
    get s mtime -> 200.123456789
    changes s -> ?
    changes f -> -
    lutimes s omit 300
    get s mtime -> 300.123456789
    lutimes s now now
    changes s -> mc
    utimes s 400 500
    get f atime,mtime -> 400.123456789,500.123456789""")
case("symlink: linked and renamed", """
    symlink none s
    link s t
    get t type,nlink -> symlink,2
    rename s u
    get u type -> symlink
    lchown u {uid} {gid}
    unlink t
    get u nlink -> 1""")
case("symlink: many on the way", "\n".join(
    ["create f0 0644", *(f"symlink f{number} f{number + 1}" for number in range(41)), "stat f40 type -> file", "stat f41 type -> ELOOP"]))
