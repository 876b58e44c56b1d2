"""Sessions: words, bytes, statuses, signals and terminals, as they arrive and come back."""
import fcntl
import hashlib
import os
import pwd
import shutil
import signal
import struct
import subprocess
import termios

import pytest

from conftest import wait_for
from waiting import LIMIT, stop_process

PYTHON = "/usr/bin/python3"
SHOW_WORDS = "import os, sys; os.write(1, b'\\0'.join(map(os.fsencode, sys.argv[1:])))"


def raw_output(home, *arguments, data=None):
    process = home.start(*arguments, stdin=subprocess.PIPE)
    out, err = process.communicate(data, timeout=LIMIT)
    return process.returncode, out, err


def test_starts_on_demand_and_stays(box):
    assert box("run", "echo", "hello").ok() == "hello\n"
    assert box.info("box")["state"] == "running"
    assert box("run", "-d", "BOX", "echo", "again").ok() == "again\n"
    assert len(box.qemus()) == 1


def test_words_arrive_as_they_are(box):
    words = ["", " ", "a b", "$HOME", "'\"`\\", "a\nb", "*", "--", "-x", "ä", b"\xff\xfe"]
    _, out, _ = raw_output(box, "run", "--", PYTHON, "-c", SHOW_WORDS, *words_of(words))
    assert out.split(b"\0") == [os.fsencode(word) for word in words]


def words_of(words):
    return [os.fsdecode(word) for word in words]


def test_options_end_at_the_command(box):
    assert box("run", "echo", "-d", "x", "--tty").ok() == "-d x --tty\n"
    assert box("run", "--", "echo", "--", "-u").ok() == "-- -u\n"
    assert box("-d", "box", "--", "echo", "-l").ok() == "-l\n"
    assert box("--distribution", "box", "-e", "echo", "x").ok() == "x\n"


def test_all_bytes_on_three_streams(box):
    data = bytes(range(256)) * 300
    code = ("import os, sys\n"
            "data = sys.stdin.buffer.read()\n"
            "sys.stdout.buffer.write(data); sys.stderr.buffer.write(data[::-1])")
    status, out, err = raw_output(box, "run", PYTHON, "-c", code, data=data)
    assert status == 0 and out == data and err == data[::-1]


def test_much_data(box):
    data = os.urandom(1 << 20) * 12
    _, out, _ = raw_output(box, "run", "cat", data=data)
    assert hashlib.sha256(out).digest() == hashlib.sha256(data).digest()


def test_a_command_that_does_not_read(box):
    status, out, _ = raw_output(box, "run", "true", data=b"x" * 3000000)
    assert status == 0 and out == b""


def test_input_that_is_empty_or_closed(box):
    assert box("run", "wc", "-c").ok().strip() == "0"
    process = subprocess.run(f"'{box.program}' run wc -c <&-", shell=True, env=box.environment,
                             stdout=subprocess.PIPE, timeout=LIMIT)
    assert process.returncode == 0 and process.stdout.strip() == b"0"


@pytest.mark.parametrize("status", [0, 1, 2, 7, 124, 128, 200, 255])
def test_status(box, status):
    result = box("run", "sh", "-c", f"exit {status}")
    assert result.status == status and result.err == ""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_status_of_a_signal(box, number):
    assert box("run", "sh", "-c", f"kill -{int(number)} $$").status == 128 + number


def test_commands_that_cannot_be(box, rootfs):
    box("run", "no-such-command").failed(127, "session.command-not-found", "no-such-command")
    rootfs.chmod(0o644)
    box("run", rootfs).failed(126, "session.command-not-executable", str(rootfs))
    box("run", "-u", "no-such-user", "true").failed(125, "session.refused", "no-such-user")
    box("run", "-d", "none", "true").failed(125, "distro.not-found", "run none: ")
    assert box("run", "true").status == 0  # nothing of that has hurt it


def test_directory(box):
    assert box("run", "--cd", "/usr", "pwd").ok() == "/usr\n"
    home = pwd.getpwuid(os.getuid()).pw_dir
    expected = f"{home}\n" if os.path.isdir(home) else "/\n"
    assert box("run", "pwd").ok() == expected
    assert box("run", "--cd", "~", "pwd").ok() == expected


def test_directory_that_is_not_there_is_a_warning(box):
    for directory in "/no/such/place", "~/no/such/place":
        result = box("run", "--cd", directory, "sh", "-c", "pwd; exit 3")
        assert result.status == 3 and result.out == box("run", "pwd").ok()
        assert result.err.startswith(f'berth: cannot change to "{directory}": No such file')
        assert result.err.count("\n") == 1


def test_environment(box):
    show = ["run", "--env", "A=1", "--env", "B=x=y z", "--env", "C", "--env", "EMPTY=", "env"]
    lines = box(*show, env={"C": "passed", "LC_TIME": "C", "TERM": "vt100", "SECRET": "x"}).ok()
    lines = lines.splitlines()
    for expected in ("A=1", "B=x=y z", "C=passed", "EMPTY=", "LC_TIME=C", "LC_ALL=C.UTF-8"):
        assert expected in lines
    assert "TERM=vt100" not in lines and "SECRET=x" not in lines


def test_only_the_locale_is_passed_on(box):
    """Not whatever has a name that begins like its."""
    names = ("LANG LANGUAGE LC_ALL LC_ADDRESS LC_COLLATE LC_CTYPE LC_IDENTIFICATION LC_MEASUREMENT LC_MESSAGES"
             " LC_MONETARY LC_NAME LC_NUMERIC LC_PAPER LC_TELEPHONE LC_TIME").split()
    others = ["LANGCHAIN_API_KEY", "LANGFUSE_SECRET_KEY", "LANGUAGES", "LANG_X", "LC_", "LC_SECRET", "LC_ALL_X",
              "TERM_PROGRAM", "COLORTERM_X", "TZ_TOKEN", "http_proxy_password", "BERTH_TOKEN"]
    given = {**{name: "C" for name in names}, **{name: "secret" for name in others}}
    result = box("run", "env", env=given)
    assert result.err == 'berth: warning: environment: BERTH_TOKEN is not a setting: "berth config" lists the keys\n'
    lines = result.out.splitlines()
    assert {line.split("=")[0] for line in lines if line.endswith("=C")} == set(names)
    assert not [line for line in lines if "secret" in line]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1,
                                    signal.SIGUSR2])
def test_signals_are_passed_on(box, number):
    code = ("import signal, sys, time\n"
            f"signal.signal({int(number)}, lambda *_: sys.exit(42))\n"
            "print('ready', flush=True); time.sleep(1000)")
    process = box.start("run", PYTHON, "-c", code)
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(number)
    assert process.wait(timeout=LIMIT) == 42


def test_a_client_that_is_killed_takes_its_command_along(box):
    process = box.start("run", "sh", "-c", "echo $$; exec sleep 1000")
    pid = int(process.stdout.readline())
    process.kill()
    process.wait()
    wait_for(lambda: not os.path.exists(f"/proc/{pid}"))
    assert box("run", "true").status == 0


def test_many_at_once_from_a_stop(box):
    processes = [box.start("run", "echo", str(i)) for i in range(12)]
    outputs = [box.finish(process, timeout=LIMIT).ok() for process in processes]
    assert outputs == [f"{i}\n" for i in range(12)]
    assert len(box.qemus()) == 1


def unread(pipe):
    """How many bytes are in it."""
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]


def test_one_that_is_stalled_holds_up_no_other(box):
    stalled = box.start("run", "cat", "/dev/zero")
    fcntl.fcntl(stalled.stdout, fcntl.F_SETPIPE_SZ, 4096)
    wait_for(lambda: unread(stalled.stdout) == 4096)  # nobody reads
    assert box("run", "echo", "through").ok() == "through\n"
    stalled.kill()
    stalled.communicate()


def test_a_shell_reads_its_input(box):
    for arguments in ([], ["shell", "box"], ["~"]):
        result = box(*arguments, data=b"echo in; exit 3\n", env={"SHELL": "/bin/sh"})
        assert result.status == 3 and "in\n" in result.out, result


def test_a_terminal(on_terminal):
    terminal = on_terminal("run", "sh", "-c", "tty; stty size; echo $TERM; exit 5", rows=31, columns=99)
    terminal.expect(b"/dev/pts/")
    terminal.expect(b"31 99\r\n")
    terminal.expect(b"vt220\r\n")
    terminal.end(5)


def test_keys_go_to_the_guest(on_terminal):
    """Ctrl-C and Ctrl-Z are the guest's terminal's business."""
    code = "trap 'echo caught' INT; stty -a | head -1; read x; echo \"got $x\"; read y; exit 6"
    terminal = on_terminal("run", "sh", "-c", code)
    terminal.expect(b"speed")
    terminal.type(b"\x03")
    terminal.expect(b"caught")
    terminal.type(b"word\r")
    terminal.expect(b"word")
    terminal.type(b"\r\r")
    terminal.end(6)


def test_a_new_size(on_terminal):
    code = "trap 'stty size; exit 4' WINCH; echo ready; while :; do sleep 0.05; done"
    terminal = on_terminal("run", "sh", "-c", code)
    terminal.expect(b"ready")
    terminal.resize(40, 120)
    terminal.expect(b"40 120")
    terminal.end(4)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_terminal_is_restored_after_a_signal(on_terminal, number):
    terminal = on_terminal("run", "sh", "-c", "echo ready; sleep 1000")
    terminal.expect(b"ready")
    assert termios.tcgetattr(terminal.slave) != terminal.before
    os.kill(terminal.process.pid, number)
    terminal.end(128 + number)


def test_the_terminal_is_restored_after_a_crash(on_terminal):
    terminal = on_terminal("run", "sh", "-c", "echo ready; sleep 1000")
    terminal.expect(b"ready")
    os.kill(terminal.process.pid, signal.SIGSEGV)
    terminal.end(-signal.SIGSEGV)


@pytest.mark.parametrize("pipes", ["", "stdin", "stdout", "stderr", "stdin stdout", "stdout stderr"])
def test_each_stream_is_a_terminal_where_ours_is_one(on_terminal, tmp_path, pipes):
    mark = tmp_path / "mark"
    script = f"exec 3>{mark}; for i in 0 1 2; do test -t $i && printf t >&3 || printf p >&3; done; cat; exit 5"
    streams = {name: subprocess.PIPE for name in pipes.split()}
    terminal = on_terminal("run", "sh", "-c", script, **streams)
    wait_for(lambda: mark.exists() and len(mark.read_text()) == 3)
    assert mark.read_text() == "".join("p" if name in pipes.split() else "t" for name in ("stdin", "stdout", "stderr"))
    if "stdin" in pipes:
        terminal.process.stdin.close()
    else:
        if "stdout" not in pipes:
            wait_for(terminal.is_raw)  # or this key is one of our own terminal's
        terminal.type(b"\x04")
    terminal.end(5)


def test_output_in_a_pipe_is_as_it_was_written(on_terminal):
    terminal = on_terminal("run", "sh", "-c", "echo out; echo err >&2", stdout=subprocess.PIPE)
    terminal.expect(b"err\r\n")  # this return is our own terminal's
    assert terminal.process.stdout.read() == b"out\n"
    terminal.end(0)


def test_terminal_beside_a_pipe_is_left_as_it_is(on_terminal):
    """A pager at the other end of the pipe has it; lines and Ctrl-C still arrive."""
    script = "trap 'echo caught >&2; exit 7' INT; read x; echo got $x >&2; while :; do sleep 0.05; done"
    terminal = on_terminal("run", "sh", "-c", script, stdout=subprocess.PIPE)
    terminal.type(b"a line\r")
    terminal.expect(b"got a line\r\n")
    assert termios.tcgetattr(terminal.slave) == terminal.before
    assert terminal.seen.count(b"a line") <= 1  # not shown twice
    terminal.type(b"\x03")
    terminal.expect(b"caught")
    terminal.end(7)


def test_terminal_beside_a_file_is_raw(on_terminal, tmp_path):
    """As for `berth run sudo make install >log 2>&1`: what is asked is seen, what is typed is not."""
    with open(tmp_path / "log", "wb") as log:
        script = "stty -echo </dev/tty; printf Password: >/dev/tty; read x; echo; echo \"got $x\"; exit 6"
        terminal = on_terminal("run", "sh", "-c", script, stdout=log, stderr=log)
        terminal.expect(b"Password:")
        terminal.type(b"secret\r")
        terminal.end(6)
    assert (tmp_path / "log").read_bytes() == b"\ngot secret\n"
    assert b"secret" not in terminal.rest()


def test_no_tty_and_tty(box, on_terminal):
    terminal = on_terminal("run", "--no-tty", "sh", "-c", "test -t 1 || echo plain")
    terminal.expect(b"plain\r\n")
    terminal.end(0)
    assert box("run", "--tty", "sh", "-c", "test -t 0 && test -t 1 && stty size").ok() == "24 80\r\n"


def test_command_in_the_background_is_not_stopped(box, on_terminal, tmp_path):
    """`berth run server >log &`: the terminal is the shell's, what is typed there is not ours."""
    go_on = tmp_path / "go-on"
    script = f"until test -e {go_on}; do sleep 0.05; done; echo done"
    shell = f"set -m; '{box.program}' run sh -c '{script}' & read line; touch {go_on}; wait $!; echo \"$line $?\""
    terminal = on_terminal("run", "true")
    terminal.end(0)
    process = subprocess.Popen(["sh", "-c", shell], env=box.environment, stdin=terminal.slave, stdout=terminal.slave,
                               stderr=terminal.slave, start_new_session=True, preexec_fn=terminal.adopt)
    terminal.type(b"typed\r")
    terminal.expect(b"done")
    terminal.expect(b"typed 0")
    assert process.wait(timeout=LIMIT) == 0


# --- the other end of our output has gone ---

def test_output_closed_early_is_a_broken_pipe_in_the_guest(box):
    process = box.start("run", "sh", "-c", "trap '' PIPE; while echo x; do :; done; echo gone >&2; exit 4")
    assert process.stdout.readline() == b"x\n"
    process.stdout.close()
    process.wait(timeout=LIMIT)
    assert process.returncode == 4 and process.stderr.read().endswith(b"gone\n")


def test_output_closed_early_is_noticed_without_writing(box):
    code = ("import select, sys\n"
            "print('on', flush=True)\n"
            "output = select.poll(); output.register(1, 0); output.poll()\n"
            "print('gone', file=sys.stderr)")
    process = box.start("run", PYTHON, "-c", code)
    assert process.stdout.readline() == b"on\n"
    process.stdout.close()
    assert b"gone\n" in process.stderr.read()
    assert process.wait(timeout=LIMIT) == 0


# --- shells ---

SHELL = os.path.basename(pwd.getpwuid(os.getuid()).pw_shell or "sh")
needs_shell = pytest.mark.skipif(SHELL not in ("sh", "bash", "dash", "zsh"), reason="no usable shell here")


@needs_shell
def test_without_run_the_words_are_the_shells(box):
    assert box("-d", "box", "--", "echo", "$((6*7))").ok() == "42\n"
    assert box("-d", "box", "echo", "a; echo b").ok() == "a; echo b\n"
    assert box("-d", "box", "--", "echo a; echo b").ok() == "a\nb\n"
    assert box("-d", "box", "--", "echo", "a  b", "", 'c "d" e').ok() == 'a  b  c "d" e\n'
    assert box("-d", "box", "-e", "echo", "$HOME", "", "x").ok() == "$HOME  x\n"
    assert box("-d", "box", "--exec", "echo", "a;b").ok() == "a;b\n"
    assert box("run", "echo", "$((6*7))").ok() == "$((6*7))\n"


@needs_shell
def test_shell_types(box):
    assert box("run", "--shell-type", "standard", "echo", "$0").ok() == f"{SHELL}\n"
    assert box("run", "--shell-type", "login", "echo", "$0").ok() == f"-{SHELL}\n"
    assert box("run", "--login", "echo", "$0").ok() == f"-{SHELL}\n"
    assert box("run", "--shell-type", "none", "echo", "$0").ok() == "$0\n"
    assert box("-d", "box", "--shell-type", "none", "echo", "$0").ok() == "$0\n"
    assert box("run", "--shell-type", "standard", data=b"echo $0\n").ok() == f"{SHELL}\n"
    assert box("run", data=b"echo $0\n").out.splitlines()[-1] == f"-{SHELL}"


def test_shell_types_that_cannot_be(box):
    box("run", "--shell-type", "tcsh", "true").failed(125, "usage.value", "tcsh")
    box("run", "--shell-type", "none").failed(125, "usage.arguments", "missing")
    box("-d", "box", "-e").failed(125, "usage.arguments", "missing")


def test_proxies_are_passed_on_as_the_guest_reaches_them(box):
    given = {"http_proxy": "http://127.0.0.1:3128/", "HTTPS_PROXY": "http://proxy.example:8080", "no_proxy": "localhost"}
    lines = box("run", "env", env=given).ok().splitlines()
    assert "http_proxy=http://host.berth.internal:3128/" in lines
    assert "HTTPS_PROXY=http://proxy.example:8080" in lines and "no_proxy=localhost" in lines
    lines = box("run", "--env", "http_proxy=", "env", env=given).ok().splitlines()
    assert "http_proxy=" in lines  # what is given wins


# --- BERTH_ENV ---

def test_variables_by_list(box, tmp_path):
    given = {"BERTH_ENV": "A:B/u:C/w:E/p:F/l:G/x:H/pu:I/uw:UNSET:EMPTY/p::/u:A/", "A": "a b", "B": "b", "C": "c",
             "E": "../x", "F": "y:/z/../w:", "G": "g", "H": "/h/", "I": "i", "EMPTY": ""}
    lines = box("run", "env", env=given, cwd=tmp_path).ok().splitlines()
    got = dict(line.split("=", 1) for line in lines if "=" in line)
    want = {"A": "a b", "B": "b", "C": None, "E": str(tmp_path.parent / "x"), "F": f"{tmp_path}/y:/w:", "G": None,
            "H": "/h", "I": "i", "UNSET": None, "EMPTY": "", "BERTH_ENV": given["BERTH_ENV"], "BERTH_DISTRO": "box"}
    assert {name: got.get(name) for name in want} == want


def test_variables_by_option_win(box):
    result = box("run", "--env", "A=2", "--env", "BERTH_DISTRO=x", "sh", "-c", "echo $A $BERTH_DISTRO",
                 env={"BERTH_ENV": "A", "A": "1"})
    assert result.ok() == "2 x\n"


def test_distro_is_named_as_it_is_registered(box):
    assert box("run", "-d", "BOX", "printenv", "BERTH_DISTRO").ok() == "box\n"


# --- many ---

def fds(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_a_hundred_at_once_and_many_in_a_row_leave_nothing(box):
    box("run", "true").ok()
    keeper = box.info("box")["keeper_pid"]
    before = fds(keeper)
    processes = [box.start("run", "sh", "-c", f"cat; exit {i}", stdin=subprocess.PIPE) for i in range(100)]
    for i, process in enumerate(processes):
        out, err = process.communicate(b"%d" % i, timeout=LIMIT)
        assert (out, err, process.returncode) == (b"%d" % i, b"", i)
    for _ in range(100):
        box("run", "true").ok()
    wait_for(lambda: fds(keeper) <= before)
    assert box.info("box")["sessions"] == 0


def test_client_that_is_stopped_slows_no_other(box):
    stopped = box.start("run", "cat", "/dev/zero")
    stopped.stdout.read(1 << 20)
    stop_process(stopped.pid)
    data = os.urandom(8 << 20)
    assert raw_output(box, "run", "cat", data=data)[1] == data
    os.kill(stopped.pid, signal.SIGCONT)
    stopped.stdout.read(1 << 20)
    stopped.kill()
    stopped.communicate()


def test_daemon_survives_its_client(box, tmp_path):
    mark = tmp_path / "pid"
    daemon = f"echo $$ >{mark}; echo on; exec sleep 1000 </dev/null >/dev/null 2>&1"  # once setsid has made it one
    process = box.start("run", "sh", "-c", f"setsid sh -c '{daemon}' & exec sleep 1000")
    assert process.stdout.readline() == b"on\n"
    process.kill()
    process.wait()
    pid = int(mark.read_text())
    assert box("run", "kill", "-0", str(pid)).status == 0
    os.kill(pid, signal.SIGKILL)


def test_a_shell_on_a_terminal(on_terminal):
    terminal = on_terminal("shell")
    terminal.type(b"echo $((6*7)); exit 9\r")
    terminal.expect(b"42\r\n")
    terminal.end(9)


@pytest.mark.as_root  # a session of root's, with the agent on the host
def test_hint_without_docker_names_the_package_manager(box):
    managers = ("apt-get", "dnf", "pacman", "zypper", "apk")
    there = next((name for name in managers if shutil.which(name)), None)
    result = box("docker-env").failed(1, "docker.none")
    assert (f"-- {there} " if there else "a package manager") in result.hint
