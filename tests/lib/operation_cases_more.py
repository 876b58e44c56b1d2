"""The cases of operations.py, second part: names, attributes and sizes."""
import itertools

from operation_cases import NEEDS, TYPES, case

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
