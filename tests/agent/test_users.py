# SPDX-License-Identifier: MIT
"""The user, directory and environment of a command."""

import grp
import os
import pwd
import subprocess

import pytest
import wire

as_root = pytest.mark.as_root


def environment(got):
    return dict(line.split("=", 1) for line in got.stdout.decode().splitlines())


def shell_of(user):
    return user.pw_shell or "/bin/sh"


def test_default_user_is_the_agents_user(host, me):
    assert host.run("id", "-u").stdout.split() == [str(me.pw_uid).encode()]


def test_own_user_by_name_and_by_number(host, me):
    for who in me.pw_name, str(me.pw_uid):
        assert host.run("id", "-un", user=who).stdout.decode().split() == [me.pw_name]


@pytest.mark.parametrize("who", ["nosuch", "4294967295", "-1", "0x0", "99999", "root:x"])
def test_unknown_user(host, who):
    assert host.run("true", user=who).failed == (125, f'no user "{who}" in the distro')


def test_environment_is_not_inherited(host, me):
    got = environment(host.run("env"))
    known = {"PATH", "HOME", "USER", "LOGNAME", "SHELL"}
    for path in filter(os.path.exists, ("/etc/environment", "/etc/default/locale")):
        with open(path, encoding="utf-8") as lines:
            known |= {line.split("=")[0].strip() for line in lines if "=" in line}
    assert set(got) <= known | {"PWD", "SHLVL", "_"}
    assert got["USER"] == got["LOGNAME"] == me.pw_name
    assert (got["HOME"], got["SHELL"]) == (me.pw_dir, shell_of(me))


def test_environment_of_the_client_wins(host):
    got = host.run("env", env=["HOME=/there", "EMPTY=", "EQ=a=b", "TWO=1", "TWO=2", "=x", "none"])
    got = environment(got)
    assert (got["HOME"], got["EMPTY"], got["EQ"], got["TWO"]) == ("/there", "", "a=b", "2")
    assert "none" not in got and "" not in got


def test_default_user_comes_from_the_configuration(host, me):
    host.queue(wire.config(user=me.pw_name))
    assert host.run("id", "-un").stdout.decode().split() == [me.pw_name]
    host.queue(wire.config(user="nosuch"))
    got = host.run("id", "-un")
    assert got.stdout.decode().split() == [me.pw_name]
    assert got.warning == ('no user "nosuch" in the distro, which is its default; '
                           f'it runs as "{me.pw_name}"')
    got = host.run("true", user=me.pw_name)
    assert (got.exit, got.warning) == ((wire.EXITED, 0), "")


def test_unreadable_configuration_is_ignored(host):
    host.queue(wire.frame(wire.CONFIG, b"\1\0\0\0garbage"))
    assert host.run("true").exit == (wire.EXITED, 0)


def test_directory(host, tmp_path, me):
    home = me.pw_dir if os.path.isdir(me.pw_dir) else "/"
    assert host.run("pwd").stdout.decode() == home + "\n"
    assert host.run("pwd", cwd="/usr").stdout == b"/usr\n"
    assert host.run("pwd", cwd="~").stdout.decode() == home + "\n"
    assert host.run("pwd", cwd="~/").stdout.decode() == home + "\n"


@pytest.mark.parametrize("cwd, reason", [
    ("/no/such", "No such file or directory"), ("/etc/passwd", "Not a directory"),
    ("~/no/such", "No such file or directory"), ("no/such", "No such file or directory")])
def test_missing_directory_gives_a_warning(host, me, cwd, reason):
    home = me.pw_dir if os.path.isdir(me.pw_dir) else "/"
    got = host.run("pwd", cwd=cwd)
    assert (got.stdout.decode(), got.exit) == (home + "\n", (wire.EXITED, 0))
    assert got.warning == f'cannot change to "{cwd}": {reason}; it starts in "{home}"'


def test_failed_exec_after_a_warning(host):
    assert host.run("nosuch", cwd="/no/such").failed == (127, "nosuch: command not found")


def test_umask(host):
    assert host.run("sh", "-c", "umask").stdout == b"0022\n"


def run_shell(user, name, script):
    """Run the user's shell as login(1) does; not every user's shell runs commands."""
    home = user.pw_dir if os.path.isdir(user.pw_dir) else "/"
    return subprocess.run([name], executable=shell_of(user), input=script, cwd=home, check=False,
                          capture_output=True, env={"HOME": user.pw_dir, "PATH": "/usr/bin:/bin"})


@pytest.mark.parametrize("flags, dash", [(0, ""), (wire.LOGIN, "-")])
def test_no_command_is_the_users_shell(host, me, flags, dash):
    script = b'echo "$0"; exit 3\n'
    name = dash + os.path.basename(shell_of(me))
    want = run_shell(me, name, script)
    got = host.run(stdin=script, flags=flags)
    assert (got.stdout, got.exit) == (want.stdout, (wire.EXITED, want.returncode))
    assert name.encode() in got.stdout or b"not available" in got.stdout


@as_root
def test_another_user_with_groups(host):
    user = pwd.getpwnam("nobody")
    got = host.run("id", "-u", user="nobody")
    assert got.stdout.split() == [str(user.pw_uid).encode()]
    ids = host.run("id", "-G", user="nobody").stdout.split()
    wanted = {user.pw_gid} | {g.gr_gid for g in grp.getgrall() if "nobody" in g.gr_mem}
    assert {int(i) for i in ids} == wanted


@as_root
def test_other_users_get_own_path_and_directory(host):
    assert b"sbin" not in host.run("sh", "-c", "echo $PATH", user="nobody").stdout
    assert b"sbin" in host.run("sh", "-c", "echo $PATH").stdout
    assert host.run("pwd", user="nobody").stdout == b"/\n"  # /nonexistent


@as_root
def test_directory_is_entered_as_the_user(host, tmp_path):
    tmp_path.chmod(0o700)
    got = host.run("pwd", user="nobody", cwd=str(tmp_path))
    assert got.stdout == b"/\n"
    assert got.warning == f'cannot change to "{tmp_path}": Permission denied; it starts in "/"'


@as_root
def test_terminal_belongs_to_the_user(host):
    got = host.run("stat", "-L", "-c", "%U %G %a", "/dev/stdin", user="nobody", flags=wire.TTY)
    assert got.stdout.split() == [b"nobody", b"tty", b"620"]


@as_root
def test_unprivileged_agent_cannot_change_user(start_agent):
    host = start_agent("--no-listeners", user="nobody").host
    assert host.run("id", "-un").stdout == b"nobody\n"
    assert host.run("id", "-un", user="nobody").stdout == b"nobody\n"
    assert host.run("id", user="root").failed == (125, 'only root can run as "root"')
    assert host.run("cat", stdin=b"x" * 100000).stdout == b"x" * 100000
    tty = host.run("sh", "-c", "test -t 0 && test -t 1 && test -t 2", flags=wire.TTY)
    assert tty.exit == (wire.EXITED, 0)

# --- shells ---

@pytest.mark.parametrize("flags, dash", [(wire.SHELL, ""), (wire.SHELL | wire.LOGIN, "-")])
def test_line_for_the_users_shell(host, me, flags, dash):
    name = os.path.basename(shell_of(me))
    if name not in ("sh", "bash", "dash", "zsh"):
        return  # users who cannot log in have a shell that runs nothing
    got = host.run("echo \"$0 $HOME\" '$HOME' $((6*7)); exit 5", flags=flags)
    assert got.stdout.decode() == f"{dash}{name} {me.pw_dir} $HOME 42\n"
    assert got.exit == (wire.EXITED, 5)


def test_line_may_have_arguments(host, me):
    got = host.run('echo "$0|$1|$2"', "zero", "one two", "", flags=wire.SHELL)
    assert got.stdout in (b"zero|one two|\n", b"")


# --- offered variables ---

def offered(host, *pairs, names, **options):
    got = environment(host.run("env", offered=pairs, **options))
    return {name: got.get(name) for name in names.split()}


def test_offered_locale_is_used_if_installed(host):
    assert offered(host, "LANG=C.UTF-8", "LC_TIME=POSIX", names="LANG LC_TIME") == {
        "LANG": "C.UTF-8", "LC_TIME": "POSIX"}
    assert offered(host, "LC_TIME=xx_XX.UTF-8", "LC_ALL=../../etc", names="LC_TIME LC_ALL") == {
        "LC_TIME": None, "LC_ALL": None}


def test_unknown_offered_locale_still_gives_utf8(host):
    got = offered(host, "LANG=xx_XX.UTF-8", names="LANG", env=["OTHER=1"])
    assert got["LANG"] not in (None, "xx_XX.UTF-8")  # the distro's own, or C.UTF-8


def test_explicit_locale_is_always_used(host):
    assert offered(host, "LANG=C.UTF-8", names="LANG", env=["LANG=xx_XX"]) == {"LANG": "xx_XX"}


def test_offered_terminal_is_used_if_known(host):
    known = any(os.path.exists(f"{base}/v/vt100") for base in
                ("/etc/terminfo", "/lib/terminfo", "/usr/lib/terminfo", "/usr/share/terminfo"))
    for term, want in (("vt100", "vt100" if known else None), ("no-such-term", None), ("../x", None)):
        got = host.run("printenv", "TERM", offered=[f"TERM={term}"], flags=wire.TTY).stdout
        assert got.decode() == (want or "xterm-256color") + "\r\n"
    assert offered(host, "COLORTERM=truecolor", "none", names="COLORTERM") == {"COLORTERM": "truecolor"}
