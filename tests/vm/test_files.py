"""berth's changes to the distro's own files at a start: content, links and modes survive."""
import hashlib
import os
import subprocess
import tarfile

import pytest

from conftest import link, put, set_row
from host import eventually

MIB = 1 << 20


@pytest.fixture(autouse=True, scope="module")
def proven(host, busybox):
    """Start once: the notice about the accelerator belongs to the first start."""
    host.run(busybox, "true")


def lines_of(size, line):
    """At least @size bytes of distinct lines."""
    return "".join(line % i for i in range(size // len(line % 0) + 1))


def as_root(host, name, script):
    return host("run", "-d", name, "-u", "root", "--", "sh", "-c", script).stdout


def test_large_hosts_file_is_kept(host, scratch):
    """As large as ad block lists."""
    blocked = lines_of(3 * MIB, "0.0.0.0 ads%d.example.net\n")
    put(host, scratch, "/etc/hosts", blocked + "10.1.2.3 last")
    for start in range(2):
        result = host.run(scratch, "cat", "/etc/hosts")
        assert result.stderr == ""
        assert result.stdout.startswith(blocked + "10.1.2.3 last\n# berth: ")
        assert result.stdout.count(" scratch\n") == 1
        host("terminate", scratch)


def test_large_account_files_are_kept(host, scratch):
    set_row(host, scratch, account="alice", account_uid=4242)
    passwd = "root:x:0:0::/root:/bin/sh\n" + lines_of(3 * MIB, "s%06d:x:5:5::/:/bin/false\n")
    group = "root:x:0:\n" + lines_of(3 * MIB, "g%06d:x:5:\n") + "wheel:x:10:root\n"
    shadow = "root:!:1::::::\n" + lines_of(3 * MIB, "s%06d:!:1::::::\n")
    for name, text in {"passwd": passwd, "group": group, "shadow": shadow}.items():
        put(host, scratch, f"/etc/{name}", text)
    assert host.run(scratch, "id", "-un").stdout == "alice\n"
    wanted = {"passwd": passwd + "alice:x:4242:4242::/home/alice:/bin/sh\n",
              "group": group.replace("wheel:x:10:root", "wheel:x:10:root,alice") + "alice:x:4242:\n"}
    for name, text in wanted.items():
        digest = as_root(host, scratch, f"sha256sum </etc/{name}").split()[0]
        assert digest == hashlib.sha256(text.encode()).hexdigest(), name
    assert as_root(host, scratch, "wc -l </etc/shadow; tail -n 1 /etc/shadow | cut -d: -f1,2") == (
        f"{shadow.count(chr(10)) + 1}\nalice:!\n")


def test_hosts_file_stays_a_link_of_its_mode(host, scratch):
    host.run(scratch, "sh", "-c", "mkdir /etc/site; echo 1.2.3.4 mine >/etc/site/hosts; chmod 600 /etc/site/hosts; "
             "chown 7:8 /etc/site/hosts; ln -sf site/hosts /etc/hosts; sync")
    host("terminate", scratch)
    output = host.run(scratch, "sh", "-c", "readlink /etc/hosts; stat -c '%a %u:%g' /etc/site/hosts; head -n 2 /etc/hosts; "
                    "ls /etc /etc/site | grep -c berth-new; true")
    lines = output.stdout.splitlines()
    assert lines[:3] == ["site/hosts", "600 7:8", "1.2.3.4 mine"] and lines[3].startswith("# berth: ") and lines[4] == "0"


def test_dangling_hosts_link_is_kept(host, scratch):
    host.run(scratch, "sh", "-c", "ln -sf /run/later/hosts /etc/hosts; sync")
    host("terminate", scratch)
    result = host.run(scratch, "readlink", "/etc/hosts")
    assert result.stdout == "/run/later/hosts\n"
    assert result.stderr.startswith("berth: identity: /etc/hosts: ") and result.stderr.count("\n") == 1


def test_account_in_an_image_without_account_files(host, scratch):
    """An image built from scratch: its files are created as distros have them."""
    host.run(scratch, "sh", "-c", "rm -f /etc/passwd /etc/group /etc/shadow /etc/gshadow; sync")
    host("terminate", scratch)
    set_row(host, scratch, account="alice", account_uid=4242)
    result = host.run(scratch, "cat", "/etc/passwd", "/etc/group")
    assert result.stderr == ""
    assert result.stdout == ("root:!:0:0:root:/root:/bin/ash\nalice:!:4242:4242::/home/alice:/bin/ash\n"
                             "root:x:0:\nalice:x:4242:\n")
    assert as_root(host, scratch, "stat -c '%a %u:%g' /etc/passwd /etc/group; ls /etc/shadow 2>&1 | wc -l") == (
        "644 0:0\n644 0:0\n1\n")
    assert host.run(scratch, "id", "-un").stdout == "alice\n"


# --- images of other machines ---

FSTAB = """\
# <file system> <mount point> <type> <options> <dump> <pass>
UUID=11111111-2222-3333-4444-555555555555 / ext4 errors=remount-ro,noatime 0 1
PARTUUID=deadbeef-0f /boot/efi vfat umask=0077 0 1
LABEL=data /srv/the\\040data ext4 defaults 0 2
/dev/disk/by-id/ata-DISK_1 /srv/extra ext4 defaults,nofail 0 2
/dev/mapper/vg-var /var/lib/systemd ext4 defaults 0 2
share /srv/share virtiofs defaults 0 0
UUID=99999999-2222-3333-4444-555555555555 none swap sw 0 0
/dev/sda5 none swap sw 0 0
tmpfs /mnt tmpfs size=1m 0 0
"""
LEFT_OUT = [f"berth: /etc/fstab:{number}: {source} is not in this machine: left out{rest}" for number, source, rest in (
    (3, "PARTUUID=deadbeef-0f", ", nothing is mounted on /boot/efi"),
    (4, "LABEL=data", ", nothing is mounted on /srv/the data"),
    (6, "/dev/mapper/vg-var", ", nothing is mounted on /var/lib/systemd"),
    (7, "share", ", nothing is mounted on /srv/share"),
    (8, "UUID=99999999-2222-3333-4444-555555555555", ""),
    (9, "/dev/sda5", ""))]


def test_former_machine_with_systemd(host, patient):
    """Foreign disks and consoles cause no wait and no failure."""
    put(host, patient, "/etc/fstab", FSTAB)
    for name in ("serial-getty@ttyS1.service", "serial-getty@ttyAMA0.service"):
        link(host, patient, f"/etc/systemd/system/getty.target.wants/{name}", "/lib/systemd/system/serial-getty@.service")
    result = host("start", patient)
    assert result.stderr.splitlines() == LEFT_OUT
    output = as_root(host, patient, "systemctl is-system-running --wait; systemctl --failed --no-legend --plain; "
                   "systemctl list-jobs --no-legend; cat /etc/fstab; grep -c ' /mnt ' /proc/mounts; "
                   "findmnt -nro OPTIONS / | tr , '\\n' | grep noatime; systemctl is-active local-fs.target swap.target")
    assert output == "running\n" + FSTAB + "1\nnoatime\nactive\nactive\n"


def test_former_machine_without_an_init(host, scratch):
    put(host, scratch, "/etc/fstab", FSTAB)
    result = host.shell(scratch, "cat /etc/fstab; grep -c ' /mnt ' /proc/mounts")
    assert result.stderr.splitlines() == LEFT_OUT
    assert result.stdout == FSTAB + "1\n"


def test_excess_notices_are_counted(host, scratch):
    """The terminal shows a few, and points to the log for the rest."""
    put(host, scratch, "/etc/fstab", "".join(f"UUID={number} /srv/{number} ext4 defaults 0 0\n" for number in range(1, 301)))
    lines = [f"/etc/fstab:{number}: UUID={number} is not in this machine: left out, nothing is mounted on /srv/{number}"
             for number in range(1, 301)]
    output = host("start", scratch).stderr.splitlines()
    assert output == [f"berth: {line}" for line in lines[:16]] + [
        f'berth: 241 more lines about this start: "berth logs {scratch}" shows them']
    logged = host("logs", scratch).stdout
    assert [line for line in lines if line not in logged] == lines[256:]
    assert "44 more lines name devices that are not in this machine" in logged


def test_former_machine_with_another_init(host, scratch):
    """The init checks and mounts what fstab names: only existing devices, and it cannot change fstab."""
    put(host, scratch, "/sbin/init", "#!/bin/sh\ntrap 'sync; poweroff -f' USR2\n"
        "while :; do sleep 1000 & wait; done\n", mode=0o100755)
    put(host, scratch, "/etc/fstab", FSTAB)
    result = host.shell(scratch, "grep -v '^#' /etc/fstab; echo x 2>/dev/null >>/etc/fstab || echo kept; umount /etc/fstab; "
                        "cat /etc/fstab")
    assert result.stderr.splitlines() == LEFT_OUT
    lines = FSTAB.splitlines(keepends=True)
    assert result.stdout == lines[1] + lines[-1] + "kept\n" + FSTAB
    host("terminate", scratch, timeout=60)


CONTAINER = ("ls -A / | grep '^\\.docker'; systemd-detect-virt --vm; systemd-detect-virt --container; "
             "systemctl is-active fstrim.timer; systemctl is-system-running --wait; "
             "systemctl show-environment | grep -c ^container; true")


def member(archive, name):
    with tarfile.open(archive) as opened:
        found = opened.getmember(name)
        return opened.extractfile(found).read(), found.mode, found.uid, found.gid, found.mtime


@pytest.fixture
def former(host, patient):
    """A Debian imported from docker export's archive."""
    put(host, patient, "/.dockerenv", "a file of docker's\n", mode=0o100751)
    host("export", patient, host.root / "former.tar")
    host("import", "--no-user", "former", host.root / "former.tar")
    yield "former"
    host("terminate", "--force", "former", check=False)
    host("unregister", "former")
    (host.root / "former.tar").unlink()


def test_former_container(host, former):
    """systemd and programs that look for /.dockerenv see a machine; an export restores the file."""
    for _ in range(2):
        hidden, machine, *rest = as_root(host, former, CONTAINER).splitlines()
        assert hidden == ".dockerenv.berth" and machine != "none"
        assert rest == ["none", "active", "running", "0"]
        host("terminate", former)
    exported = host.root / "again.tar"
    host("export", former, exported)
    assert member(exported, ".dockerenv") == member(host.root / "former.tar", ".dockerenv")
    with tarfile.open(exported) as archive:
        assert ".dockerenv.berth" not in archive.getnames()
    exported.unlink()


def test_former_container_with_a_mark_that_cannot_be_hidden(host, patient):
    """systemd still starts as on a machine, and no file is lost."""
    put(host, patient, "/.dockerenv", "new\n", mode=0o100755)
    put(host, patient, "/.dockerenv.berth", "old\n", mode=0o100755)
    host("start", patient)
    output = as_root(host, patient, "cat /.dockerenv /.dockerenv.berth; systemctl is-active fstrim.timer; "
                   "systemctl is-system-running --wait; systemctl show-environment | grep -c ^container; true")
    assert output == "new\nold\nactive\nrunning\n0\n"
    assert "cannot hide /.dockerenv: File exists" in host("logs", patient).stdout


def test_former_container_without_an_init(host, scratch):
    put(host, scratch, "/.dockerenv", "mine\n", mode=0o100755)
    result = host.shell(scratch, "ls -A / | grep '^\\.docker'; cat /.dockerenv.berth")
    assert result.stdout == ".dockerenv.berth\nmine\n" and result.stderr == ""


def test_resolver_programs_find_the_name_server(host, debian):
    """Also programs that are installed while the distro runs."""
    server = as_root(host, debian, "sed -n 's/^nameserver //p' /etc/resolv.conf").strip()
    output = as_root(host, debian, "cat /run/systemd/resolved.conf.d/10-berth.conf /run/resolvconf/interface/eth0.berth")
    assert server and output == f"[Resolve]\nDNS={server}\nnameserver {server}\n"


# --- names of the host ---

@pytest.mark.as_root
def test_names_of_the_host(host, scratch):
    """The keeper has a mount namespace with an /etc that the test can change."""
    etc = host.root / "etc-names"
    etc.mkdir()

    def write(name, text):
        (etc / "new").write_text(text)
        (etc / "new").rename(etc / name)

    def start(*options):
        host("terminate", scratch)
        subprocess.run(["unshare", "-m", "sh", "-c", f"mount --bind {etc} /etc && exec {host.program} start {scratch} $0",
                        " ".join(options)], env=host.environment, check=True, timeout=180)

    def names_inside():
        return host.run(scratch, "cat", "/etc/hosts", "/etc/resolv.conf").stdout

    write("hosts", "127.0.0.1 localhost\n192.0.2.5 nas nas.home\n")
    write("resolv.conf", "nameserver 192.0.2.1\nsearch corp.example\n")
    start()
    assert "\n192.0.2.5 nas nas.home\n" in names_inside() and names_inside().endswith("\nsearch corp.example\n")
    write("hosts", "192.0.2.6 printer\n")
    write("resolv.conf", "nameserver 192.0.2.1\nsearch home.example\n")
    eventually(lambda: "\n192.0.2.6 printer\n" in names_inside() and names_inside().endswith("\nsearch home.example\n"),
               what="the host's new names")
    assert "nas" not in names_inside() and names_inside().count(" scratch\n") == 1
    start("--isolated")
    assert "printer" not in names_inside() and "search" not in names_inside()
    host.shell(scratch, "printf '[network]\\ngenerateHosts=false\\ngenerateResolvConf=false\\n' >/etc/wsl.conf; "
               "echo 1.2.3.4 mine >/etc/hosts; sync")
    start()
    assert host.run(scratch, "cat", "/etc/hosts").stdout == "1.2.3.4 mine\n"
    assert host.shell(scratch, "ls /etc/resolv.conf", check=False).stdout == ""
