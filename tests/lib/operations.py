"""What file operations have to do, case by case, for tests/lib/operate.c: results, errnos and times.

A case is a list of lines, `[USER:] OPERATION ARGUMENT... [-> RESULT]`. The user is the files' owner unless said
otherwise, "other" (of the owner's group: "member") or "root"; the result is "0" unless said otherwise. `-> A / B why`:
a share does B, for the reason WHY[why]. `?` is whatever a plain directory does.
"""
import itertools
import subprocess

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

# ---- link, unlink ----

for kind, make in TYPES.items():
    if kind != "directory":
        case(f"link: a {kind}", f"""
            create f 0600
            {make.replace('{p}', 'x')}
            remember x
            tick
            link x y
            changes x -> c
            same x y -> same
            get y nlink -> 2
            chmod {'f' if 'symlink' in kind else 'y'} 0640
            tick
            remember y
            tick
            unlink x
            changes y -> c
            get y nlink -> 1
            get x type -> ENOENT
            unlink y
            get y type -> ENOENT""")
case("link: kinds", """
    mkdir d 0755
    create f 0644
    link d e -> EPERM
    link f f -> EEXIST
    link f d -> EEXIST
    link f . -> EEXIST
    link f d/
    """.replace("link f d/\n", "link f d/ -> EEXIST\n"))
case("link: what one name changes the other shows", """
    create a 0644
    link a b
    write a wronly hello
    read b -> hello
    get b size -> 5
    truncate b 2
    get a size -> 2
    read a -> he
    chmod a 0400
    get b mode -> 0400
    utimes b 1 2
    get a mtime -> 2.123456789
    unlink a
    read b -> he""")
case("link: to another file system", "link /proc/version x -> EXDEV\nrename /proc/version x -> EXDEV")
case("link: not of a removed file", """
    hold f creat,excl,rdwr 0644
    unlink f
    link f g -> ENOENT
    fget nlink -> 0
    drop""")
case("unlink: kinds", """
    mkdir d 0755
    create f 0644
    symlink d s
    unlink d -> EISDIR
    unlink s/ -> ?
    unlink f/ -> ENOTDIR
    unlink . -> EISDIR
    unlink .. -> EISDIR
    unlink s
    get d type -> dir
    unlink f
    unlink f -> ENOENT""")
case("unlink: times", """
    mkdir d 0755
    create d/f 0644
    remember d
    tick
    unlink d/f
    changes d -> mc""")
case("unlink: an open file lives on", """
    hold f creat,excl,rdwr 0644
    pwrite 0 hello
    remember @held
    tick
    unlink f
    changes @held -> c
    fget nlink,size -> 0,5
    pwrite 5 !
    pread 0 9 -> hello!
    ftruncate 3
    pread 0 9 -> hel
    fchmod 0400
    fget mode,size -> 0400,3
    create f 0600
    get f size,mode -> 0,0600
    fget size -> 3
    drop""")
case("unlink: another's", """
    mkdir d 0755
    create d/f 0666
    other: unlink d/f -> EACCES
    chmod d 0777
    other: unlink d/f
    create d/f 0666
    chmod d 1777
    other: unlink d/f -> EPERM
    member: unlink d/f -> EPERM
    unlink d/f""", users=True)

# ---- rename ----

for (one, make), (other, make_other) in itertools.product(TYPES.items(), TYPES.items()):
    result = "0"
    if other == "directory" and one != "directory":
        result = "EISDIR"
    elif one == "directory" and other != "directory":
        result = "ENOTDIR"
    kept = result == "0"
    case(f"rename: a {one} over a {other}", f"""
        mkdir d 0755
        mkdir e 0755
        {make.replace('{p}', 'd/x')}
        {make_other.replace('{p}', 'e/y')}
        get d/x type -> ?
        remember d
        remember e
        remember d/x
        tick
        rename d/x e/y -> {result}
        changes d -> {'mc' if kept else '-'}
        changes e -> {'mc' if kept else '-'}
        {'changes e/y d/x -> c' if kept else 'changes d/x -> -'}
        get d/x type -> {'ENOENT' if kept else '?'}
        get e/y type -> ?""")
case("rename: refused", """
    mkdir d 0755
    mkdir d/e 0755
    mkdir full 0755
    create full/f 0644
    create f 0644
    rename d d/e/x -> EINVAL
    rename d d/x -> EINVAL
    rename d full -> ENOTEMPTY
    rename d/e d -> ENOTEMPTY
    rename . x -> EBUSY
    rename d/.. x -> EBUSY
    rename f d/. -> EBUSY
    rename f new/ -> ENOTDIR
    rename f/ g -> ENOTDIR
    rename d new/
    get new/e type -> dir
    get d type -> ENOENT""")
case("rename: two names of a file", """
    create a 0644
    link a b
    remember a
    tick
    rename a b
    get a nlink -> 2
    get b nlink -> 2
    rename a a
    get a type -> file""")
case("rename: flags", """
    create a 0600
    create b 0644
    mkdir d 0755
    create d/f 0444
    noreplace a b -> EEXIST
    noreplace a d -> EEXIST
    noreplace none x -> ENOENT
    noreplace a c
    get c mode -> 0600
    exchange c none -> ENOENT
    exchange c b
    get c mode -> 0644
    get b mode -> 0600
    exchange b d
    get b/f mode -> 0444
    get d mode -> 0600
    exchange b b/f -> EINVAL""")
case("rename: an open file", """
    mkdir d 0755
    hold f creat,excl,rdwr 0644
    rename f d/g
    pwrite 0 text
    read d/g -> text
    create f 0600
    rename f d/g
    pread 0 9 -> text
    fget nlink,size -> 0,4
    get d/g size -> 0
    drop""")
case("rename: directories with all that is in them", """
    mkdir a 0755
    mkdir a/b 0755
    create a/b/f 0644
    write a/b/f wronly deep
    mkdir z 0755
    rename a z/y
    read z/y/b/f -> deep
    get a type -> ENOENT
    get a/b/f type -> ENOENT
    rename z/y/b b
    read b/f -> deep
    rmdir z/y""")
case("rename: another's", """
    mkdir d 0755
    mkdir e 0777
    create d/f 0666
    other: rename d/f e/f -> EACCES
    other: rename d/f d/g -> EACCES
    chmod d 1777
    other: rename d/f e/f -> EPERM
    other: rename d/f d/g -> EPERM
    chmod d 0777
    create e/mine 0644
    chmod e 1777
    other: rename d/f e/mine -> EPERM
    chmod e 0777
    other: rename d/f e/mine
    get d/f type -> ENOENT""", users=True)
case("rename: a directory that may not be written", """
    mkdir d 0755
    mkdir d/e 0555
    mkdir to 0755
    rename d/e d/g
    rename d/g to/g -> EACCES
    chmod d/g 0755
    rename d/g to/g""", users=True)

# ---- chmod, chown ----

for kind in ("file", "directory", "fifo", "socket"):
    lines = [TYPES[kind].replace("{p}", "x")]
    for mode in (0o000, 0o111, 0o222, 0o444, 0o777, 0o1755, 0o640):
        lines += [f"chmod x {mode:04o}", f"get x mode -> {mode:04o}"]
    case(f"chmod: a {kind}", "\n".join(lines))
case("chmod: special bits", "\n".join(
    ["create f 0755"] + [f"chmod f {mode:04o}\nget f mode -> {mode:04o}" for mode in (0o4755, 0o2755, 0o6755, 0o7777, 0o4711)]))
case("chmod: times", """
    create f 0644
    remember f
    tick
    chmod f 0600
    changes f -> c
    hold f rdwr 0
    remember f
    tick
    fchmod 0644
    changes f -> c
    fget mode -> 0644
    drop
    chmod f/ 0600 -> ENOTDIR""")
case("chmod: another's", """
    create f 0666
    mkdir d 0777
    remember f
    tick
    other: chmod f 0600 -> EPERM
    member: chmod f 0600 -> EPERM
    other: chmod d 0700 -> EPERM
    changes f -> -
    root: chmod f 0600
    changes f -> c
    get f mode -> 0600""", users=True)
case("chown: to the same", """
    create f 0644
    remember f
    tick
    chown f {uid} {gid}
    get f uid,gid -> {uid},{gid}
    chown f -1 -1
    lchown f {uid} {gid}
    hold f rdwr 0
    fchown {uid} {gid}
    fchown -1 {gid}
    drop
    mkdir d 0755
    chown d {uid} {gid}
    symlink none s
    remember s
    remember f
    remember d
    tick
    lchown s {uid} {gid}
    changes s -> c
    chown f {uid} {gid}
    changes f -> c
    chown d -1 {gid}
    changes d -> c
    chown s {uid} {gid} -> ENOENT""")
case("chown: by the owner to another", """
    create f 0644
    chown f {other} -1 -> EPERM
    chown f -1 {other_gid} -> EPERM
    chown f {other} {other_gid} -> EPERM
    get f uid,gid -> {uid},{gid}""", users=True)
case("chown: by another", """
    create f 0666
    other: chown f {other} -1 -> EPERM
    other: chown f {uid} {gid} -> EPERM
    other: lchown f {uid} {gid} -> EPERM
    get f uid,gid -> {uid},{gid}""", users=True)
case("chown: by root", """
    create f 0644
    root: chown f {other} -1 -> 0 / EPERM owner
    root: chown f -1 {other_gid} -> 0 / EPERM owner
    get f uid,gid -> {other},{other_gid} / {uid},{gid} owner
    root: chown f {uid} {gid}
    get f uid,gid -> {uid},{gid}""", users=True)
case("chown: files of others", """
    chmod . 0777
    other: create f 0600
    get f uid,gid -> {other},{other_gid} / {uid},{gid} owner
    open f rdonly 0 -> EACCES / 0 owner
    root: create g 0600
    get g uid,gid -> 0,0 / {uid},{gid} owner""", users=True)
for bits in (0o4755, 0o2755, 0o6755):
    case(f"chown: takes {bits:04o} away", f"""
        create f 0755
        chmod f {bits:04o}
        chown f {{uid}} {{gid}}
        get f mode -> 0755""", users=True)
    case(f"write: takes {bits:04o} away", f"""
        create f 0777
        chmod f {bits | 0o22:04o}
        write f wronly x
        get f mode -> 0777
        chmod f {bits | 0o22:04o}
        other: write f wronly y
        get f mode -> 0777
        chmod f {bits | 0o22:04o}
        truncate f 0
        get f mode -> 0777""", users=True)

# ---- truncate, posix_fallocate, utimensat ----

case("truncate: sizes", """
    create f 0644
    write f wronly 1234567
    truncate f 3
    read f -> 123
    truncate f 0
    get f size -> 0
    truncate f 1000000
    get f size -> 1000000
    truncate f 0
    truncate f 5368709121
    get f size -> 5368709121
    truncate f -1 -> EINVAL
    get f size -> 5368709121""")
for name, size, changed in (("less", 2, "mc"), ("more", 9, "mc"), ("the same", 4, "mc")):
    case(f"truncate: times, to {name}", f"""
        create f 0644
        write f wronly text
        remember f
        tick
        truncate f {size}
        changes f -> {changed}
        hold f rdwr 0
        ftruncate 4
        tick
        remember f
        tick
        ftruncate {size}
        changes f -> {changed}
        drop""")
case("truncate: kinds", """
    mkdir d 0755
    mknod p p 0644
    create f 0644
    truncate d 0 -> EISDIR
    truncate p 0 -> EINVAL
    hold f rdonly 0
    ftruncate 1 -> EINVAL
    allocate 0 1 -> EBADF
    pwrite 0 x -> EBADF
    hold f wronly 0
    ftruncate -1 -> EINVAL
    pread 0 1 -> EBADF
    ftruncate 7
    fget size -> 7
    drop
    get f size -> 7""")
case("truncate: without permission", """
    create f 0644
    write f wronly text
    remember f
    tick
    other: truncate f 0 -> EACCES
    chmod f 0444
    truncate f 0 -> EACCES
    read f -> text
    hold f rdonly 0
    root: truncate f 1 -> 0 / EACCES host
    drop""", users=True)
case("truncate: by a file that was opened before it was closed to all", """
    hold f creat,excl,rdwr 0644
    chmod f 0000
    ftruncate 5
    pwrite 5 x
    fget size -> 6
    drop""", users=True)
case("allocate: sizes", """
    hold f creat,excl,rdwr 0644
    allocate 0 100
    fget size -> 100
    pwrite 0 text
    remember f
    tick
    allocate 50 100
    changes f -> mc
    fget size -> 150
    allocate 0 10
    fget size -> 150
    pread 0 4 -> text
    allocate 0 0 -> EINVAL
    allocate -1 10 -> EINVAL
    allocate 0 -1 -> EINVAL
    drop
    hold . rdonly,directory 0
    allocate 0 1 -> EBADF
    drop
    mknod p p 0644
    hold p rdwr,nonblock 0
    allocate 0 1 -> ESPIPE
    drop""")
case("write: times", """
    create f 0644
    remember f
    tick
    write f wronly x
    changes f -> mc
    hold f rdwr 0
    remember f
    tick
    pwrite 10 y
    changes f -> mc
    fget size -> 11
    remember f
    tick
    drop
    changes f -> -
    read f -> ?
    changes f -> -""")
case("utimes: values", """
    create f 0644
    utimes f 100 200
    get f atime,mtime -> 100.123456789,200.123456789
    utimes f omit 300
    get f atime,mtime -> 100.123456789,300.123456789
    utimes f 400 omit
    get f atime,mtime -> 400.123456789,300.123456789
    remember f
    tick
    utimes f omit omit
    changes f -> -
    utimes f now now
    changes f -> mc
    utimes f bad 1 -> EINVAL
    utimes f -1 -1
    get f atime,mtime -> -1.123456789,-1.123456789
    utimes f 4294967296 4294967297
    get f atime,mtime -> 4294967296.123456789,4294967297.123456789
    remember f
    tick
    utimes f omit 5
    changes f -> c
    mkdir d 0755
    utimes d 7 8
    get d mtime -> 8.123456789
    utimes f/ 1 1 -> ENOTDIR""")
case("utimes: permissions", """
    create f 0644
    other: utimes f 1 1 -> EPERM
    other: utimes f now now -> EACCES
    other: utimes f now omit -> EPERM
    chmod f 0666
    other: utimes f now now
    other: utimes f 1 1 -> EPERM
    other: utimes f omit 1 -> EPERM
    other: utimes f omit omit
    chmod f 0444
    utimes f now now
    utimes f 1 1
    chmod f 0000
    utimes f now now
    root: utimes f 2 3
    get f mtime -> 3.123456789
    symlink f s
    other: lutimes s 1 1 -> EPERM""", users=True)


# ---- running them ----

class Line:
    def __init__(self, case_name, text, names):
        text, _, result = text.strip().partition(" -> ")
        user, colon, rest = text.partition(": ")
        self.user, words = (user, rest) if colon and user in ("owner", "other", "member", "root") else ("owner", text)
        if words == "tick":
            self.user = "root"  # its file is outside the case's directory
        plain, slash, share = result.partition(" / ")
        self.plain = (plain or "0").format(**names)
        share, _, self.why = share.partition(" ")
        assert not slash or self.why in WHY, text
        self.share = share.format(**names) if slash else self.plain
        self.words = words.format(**names)
        self.where = f"{case_name}: {text}"


def lines_of(name, owner):
    """The lines of a case, in its directory."""
    uid, gid = owner
    names = {**NAMES, "uid": uid, "gid": gid, "other": OTHER, "other_gid": OTHER_GROUP}
    return [Line(name, text, names) for text in cases[name][0].splitlines() if text.strip()]


def run(operate, directory, lines, owner, users):
    """The results of @lines by the command @operate in @directory of its side."""
    uid, gid = owner
    who = {"root": "root", "owner": f"{uid}:{gid}", "other": f"{OTHER}:{OTHER_GROUP}", "member": f"{OTHER}:{gid}"}
    text = "".join(f"{who[user] if users else 'root'} {words}\n" for user, words in lines)
    done = subprocess.run([*operate, directory], input=text, capture_output=True, text=True, timeout=3600)
    results = done.stdout.splitlines()
    assert done.returncode == 0 and len(results) == len(lines), (done, text.splitlines()[len(results)])
    return results


class Places:
    """Runs cases where @operate does: "root" is who makes a case's directory, @owner has the files. A read-only case is
    prepared in @directory by @prepare, which takes the lines, and performed at @read_only."""

    def __init__(self, operate, directory, read_only, owner, users, prepare=None):
        self.operate, self.directory, self.read_only = operate, directory, read_only
        self.owner, self.users, self.prepare = owner, users, prepare or self.perform

    def names(self):
        return [name for name, (_, users, _) in cases.items() if self.users or not users]

    def perform(self, directory, lines):
        return run(self.operate, directory, lines, self.owner, self.users)

    def results(self):
        """(line, its result) of each line of all cases."""
        made, prepared, frozen, found = [], [], [], []
        for number, name in enumerate(self.names()):
            lines, prepare = lines_of(name, self.owner), cases[name][2]
            enter = [("root", f"enter c{number}"), ("root", f"chown . {self.owner[0]} {self.owner[1]}")]
            work = [(line.user, line.words) for line in lines]
            if prepare is None:
                made.append((lines, len(enter), enter + work + [("root", f"leave c{number}")]))
            else:
                prepared += (enter if self.prepare == self.perform else enter[:1]) + [("owner", text) for text in prepare.splitlines()]
                frozen.append((lines, 1, enter[:1] + work))
        self.prepare(self.directory, prepared)
        for directory, group in ((self.directory, made), (self.read_only, frozen)):
            results = iter(self.perform(directory, [line for _, _, script in group for line in script]))
            for lines, first, script in group:
                answers = [next(results) for _ in script]
                found += zip(lines, answers[first:])
        return found


def deviations(plain, share):
    """What is not as written: [(line, expected, result)], of the plain directory and of the share."""
    wrong = [(line.where, "plain", line.plain, result) for line, result in plain if line.plain not in ("?", result)]
    for (line, one), (_, other) in zip(plain, share):
        expected = one if line.share == "?" else line.share
        if other != expected:
            wrong.append((line.where, "share", expected, other))
    return wrong
