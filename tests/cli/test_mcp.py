# SPDX-License-Identifier: MIT
"""`berth mcp` with a client of the test's own. The distros run the real agent, and their files are this host's."""
import base64
import json
import os
import select
import shutil
import signal
import stat
import subprocess

import pytest

from conftest import wait_for
from mcp_client import VERSION, Client, Failure
from test_snapshots import files, read, write
from waiting import LIMIT

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS = -32700, -32600, -32601, -32602
PING = {"jsonrpc": "2.0", "id": "p", "method": "ping"}


@pytest.fixture
def serve(berth):
    """Start a server with options of `berth mcp`."""
    clients = []

    def start(*options, initialize=True, **more):
        clients.append(Client(berth.start("mcp", *options, stdin=subprocess.PIPE, **more)))
        if initialize:
            clients[-1].initialize()
        return clients[-1]

    yield start
    for client in clients:
        if client.process.poll() is None:
            client.process.kill()
            client.process.wait()


@pytest.fixture
def client(box, serve):
    return serve()


@pytest.fixture
def place(tmp_path):
    """A directory that both sides see."""
    path = tmp_path / "place"
    path.mkdir()
    yield path
    shutil.rmtree(path, ignore_errors=True)


# --- the protocol ---


@pytest.mark.parametrize("asked, got", [
    ("2024-11-05", "2024-11-05"), ("2025-03-26", "2025-03-26"), ("2025-06-18", "2025-06-18"),
    (VERSION, VERSION), ("1999-01-01", VERSION), ("", VERSION)])
def test_version_negotiation(serve, asked, got):
    client = serve(initialize=False)
    result = client.initialize(asked)
    assert result["protocolVersion"] == got
    assert result["serverInfo"]["name"] == "berth" and result["capabilities"] == {"tools": {}}
    assert client.close() == 0


def test_order_of_the_first_messages(serve):
    client = serve(initialize=False)
    assert client.ask("ping") == {}
    for method in ("tools/list", "tools/call"):
        with pytest.raises(Failure) as failure:
            client.ask(method, name="list")
        assert failure.value.code == INVALID_REQUEST
    with pytest.raises(Failure) as failure:
        client.ask("initialize", protocolVersion=1)
    assert failure.value.code == INVALID_PARAMS
    client.initialize()
    with pytest.raises(Failure) as failure:
        client.initialize()
    assert failure.value.code == INVALID_REQUEST


def test_methods_and_notifications_that_are_unknown(serve):
    client = serve()
    for method in ("resources/list", "prompts/get", "logging/setLevel", "", "tools/List"):
        with pytest.raises(Failure) as failure:
            client.ask(method)
        assert failure.value.code == METHOD_NOT_FOUND
    client.notify("notifications/roots/list_changed")
    client.notify("tools/call", name="list")  # no id: no answer, and nothing is done
    client.send({"jsonrpc": "2.0", "id": 77, "result": {}})  # answers a request that was never made
    assert client.ask("ping") == {}
    assert client.lines.empty()


@pytest.mark.parametrize("line, code", [
    (b"{", PARSE_ERROR), (b"}", PARSE_ERROR), (b"nonsense", PARSE_ERROR), (b'{"a":1,}', PARSE_ERROR),
    (b"{} {}", PARSE_ERROR), (b"null{}", PARSE_ERROR), (b"-9 [1]", PARSE_ERROR), (b'"a" {}', PARSE_ERROR),
    (b'/* x */ {"jsonrpc":"2.0","id":1,"method":"ping"}', PARSE_ERROR),
    (b"{'jsonrpc':'2.0','id':1,'method':'ping'}", PARSE_ERROR), (b'{"jsonrpc":"2.0","id":1,"method":"pi', PARSE_ERROR),
    (b"\xff\xfe", PARSE_ERROR), (b'{"jsonrpc":"2.0","id":1,"method":"\xc3"}', PARSE_ERROR), (b"\0", PARSE_ERROR),
    (b'{"jsonrpc":"2.0","id":99999999999999999999,"method":"ping"}', PARSE_ERROR),
    (b'{"jsonrpc":"2.0","id":1,"method":"a\tb"}', PARSE_ERROR),
    (b"[" * 100000, PARSE_ERROR), (b'{"a":' * 5000 + b"1" + b"}" * 5000, PARSE_ERROR),
    (b"1", INVALID_REQUEST), (b'"ping"', INVALID_REQUEST), (b"null", INVALID_REQUEST), (b"[]", INVALID_REQUEST),
    (b"[" + json.dumps(PING).encode() + b"]", INVALID_REQUEST),  # this revision has no batches
    (b'{"id":1,"method":"ping"}', INVALID_REQUEST), (b'{"jsonrpc":2.0,"id":1,"method":"ping"}', INVALID_REQUEST),
    (b'{"jsonrpc":"2.0","id":1}', INVALID_REQUEST), (b'{"jsonrpc":"2.0","id":1,"method":7}', INVALID_REQUEST),
    (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', INVALID_REQUEST),
    (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', INVALID_REQUEST),
    (b'{"jsonrpc":"2.0","id":{},"method":"ping"}', INVALID_REQUEST),
    (b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":[1]}', INVALID_PARAMS),
    (b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":"x"}', INVALID_PARAMS),
    (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}', INVALID_PARAMS),
    (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":7}}', INVALID_PARAMS),
    (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"rm"}}', INVALID_PARAMS),
    (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list","arguments":[]}}', INVALID_PARAMS),
    (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list\\u0000x"}}', INVALID_PARAMS),
])
def test_bad_messages(serve, line, code):
    client = serve()
    client.send_bytes(line + b"\n")
    answer = client.receive()
    assert answer["error"]["code"] == code and answer["error"]["message"], answer
    assert answer["jsonrpc"] == "2.0" and "result" not in answer
    assert client.ask("ping") == {}  # it serves on
    assert client.lines.empty()


def test_lines_in_pieces_and_several_at_once(serve):
    client = serve()
    line = json.dumps(PING).encode() + b"\r\n"
    for at in range(len(line)):
        client.send_bytes(line[at:at + 1])
    assert client.receive()["id"] == "p"
    client.send_bytes(b"\n \n" + line * 50)
    assert [client.receive()["id"] for _ in range(50)] == ["p"] * 50


def test_a_line_that_is_too_long(serve):
    client = serve()
    client.send_bytes(b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"' + b"x" * (9 << 20) + b'"}}\n')
    assert client.receive()["error"]["code"] == PARSE_ERROR
    assert client.ask("ping") == {}
    memory = int(open(f"/proc/{client.process.pid}/status").read().split("VmHWM:")[1].split()[0])
    assert memory < 200_000 or "ASAN_OPTIONS" in os.environ  # kB: what is too long is not kept


def test_a_client_that_reads_no_answers(box, serve):
    """Then no more of its messages are read, and nothing grows without end."""
    process = box.start("mcp", stdin=subprocess.PIPE)
    os.set_blocking(process.stdin.fileno(), False)
    line = b'{"jsonrpc":"2.0","id":"%s","method":"nothing"}\n' % (b"x" * 100000)
    sent = 0
    while select.select([], [process.stdin], [], 2)[1]:  # until the server reads no more
        sent += os.write(process.stdin.fileno(), line[sent % len(line):])
        assert sent < 100 << 20
    process.stdin.close()
    answers = process.stdout.read().splitlines()
    assert process.wait(LIMIT) == 0 and len(answers) == sent // len(line)
    assert {json.loads(answer)["error"]["code"] for answer in answers} == {METHOD_NOT_FOUND}


def test_batches_of_the_revision_that_has_them(box, serve):
    client = serve(initialize=False)
    client.initialize("2025-03-26")
    client.send([PING, {"jsonrpc": "2.0", "method": "notifications/x"}, 7,
                 {"jsonrpc": "2.0", "id": "r", "method": "tools/call", "params": {"name": "list"}}])
    answers = client.receive()
    assert sorted(str(answer["id"]) for answer in answers) == ["None", "p", "r"]
    client.send([{"jsonrpc": "2.0", "method": "notifications/x"}])  # no answers: no batch
    client.send([])
    assert client.receive()["error"]["code"] == INVALID_REQUEST
    client.send([PING] * 101)
    assert client.receive()["error"]["code"] == INVALID_REQUEST
    assert client.ask("ping") == {}


# --- the tools ---


def test_list_of_tools(box, serve):
    tools = {tool["name"]: tool for tool in serve().ask("tools/list")["tools"]}
    assert list(tools) == ["list", "status", "ports", "snapshots", "run", "read", "write", "start", "suspend", "terminate",
                           "snapshot", "restore", "undo"]
    for tool in tools.values():
        schema = tool["inputSchema"]
        assert tool["description"] and schema["type"] == "object" and schema["additionalProperties"] is False
        assert set(schema["required"]) <= set(schema["properties"])
    assert tools["run"]["inputSchema"]["required"] == ["command"]
    assert tools["list"]["annotations"]["readOnlyHint"] and tools["run"]["annotations"]["destructiveHint"]
    reading = serve("--read-only").ask("tools/list")["tools"]
    assert [tool["name"] for tool in reading] == ["list", "status", "ports", "snapshots", "read"]
    assert "status" not in [tool["name"] for tool in serve("-d", "box").ask("tools/list")["tools"]]


def test_run(client):
    result = client.good("run", distro="box", command="sh", arguments=["-c", "cat; echo $X $0 >&2; exit 3", "a b'\"$"],
                         environment={"X": "y"}, input="in\nput")
    assert result == {"exit_status": 3, "timed_out": False, "stdout": "in\nput", "stdout_bytes": 6,
                      "stdout_cut": False, "stderr": "y a b'\"$\n", "stderr_bytes": 9, "stderr_cut": False}
    assert client.good("run", command="true")["exit_status"] == 0  # the default distro; no arguments
    assert client.good("run", command="cat")["stdout"] == ""  # its input is empty
    assert client.good("run", command="echo", arguments=["-n", "--", "-x"])["stdout"] == "-- -x"
    assert client.good("run", command="pwd", directory="/usr")["stdout"] == "/usr\n"
    assert client.good("run", command="sh", arguments=["-c", "kill -9 $$"])["exit_status"] == 137


def test_run_that_fails(client):
    content, is_error = client.call("run", command="/nothing/there")
    assert is_error and content["exit_status"] == 127 and content["error"]["code"] == "session.command-not-found", content
    assert client.bad("run", distro="none", command="true") == "distro.not-found"
    assert client.bad("run", user="nobody-of-that-name", command="true") == "session.refused"
    assert "/nothing" in client.good("run", directory="/nothing", command="true")["stderr"]  # a notice, as of the command


@pytest.mark.parametrize("arguments", [
    {}, {"command": 7}, {"command": ["ls"]}, {"command": "ls", "arguments": "-l"}, {"command": "ls", "arguments": [1]},
    {"command": "ls", "environment": ["A=b"]}, {"command": "ls", "environment": {"A": 1}},
    {"command": "ls", "environment": {"A=B": "c"}}, {"command": "ls", "environment": {"": "c"}},
    {"command": "ls", "time_limit": 0}, {"command": "ls", "time_limit": "5"}, {"command": "ls", "time_limit": 1.5},
    {"command": "ls", "time_limit": True}, {"command": "ls", "output_limit": 1 << 30}, {"command": "ls", "cwd": "/"},
    {"command": "ls", "distro": None}, {"command": None}])
def test_arguments_of_the_wrong_kind(client, arguments):
    assert client.bad("run", **arguments) in ("usage.value", "usage.arguments")


def test_output_that_is_no_text(client):
    data = bytes(range(256))
    octal = "".join(f"\\{byte:03o}" for byte in data)
    result = client.good("run", command="printf", arguments=[octal])
    assert base64.b64decode(result["stdout_base64"]) == data
    assert result["stdout_bytes"] == 256 and "\ufffd" in result["stdout"] and "stderr_base64" not in result
    text = "ä€😀"
    result = client.good("run", command="printf", arguments=[text])
    assert result["stdout"] == text and "stdout_base64" not in result


@pytest.mark.parametrize("letter", ["x", "ä", "€", "😀"])
def test_output_over_the_limit(client, letter):
    program = f"import sys; sys.stdout.write('begin' + '{letter}' * 100000 + 'end')"
    result = client.good("run", command="python3", arguments=["-c", program], output_limit=2048)
    size = 8 + 100000 * len(letter.encode())
    assert result["stdout_cut"] and result["stdout_bytes"] == size
    begin, note, end = result["stdout"].split("\n")
    assert begin.startswith("begin" + letter) and end.endswith(letter + "end") and "\ufffd" not in begin + end
    left_out = int(note.strip("[]").split()[0])
    assert left_out == size - len(begin.encode()) - len(end.encode()) and 2048 - 6 <= size - left_out <= 2048


def test_a_command_that_floods_does_not_fill_memory(client):
    result = client.good("run", command="sh", arguments=["-c", "head -c 300000000 /dev/zero | tr '\\0' x"])
    assert result["stdout_cut"] and result["stdout_bytes"] == 300000000
    memory = int(open(f"/proc/{client.process.pid}/status").read().split("VmHWM:")[1].split()[0])
    assert memory < 100_000 or "ASAN_OPTIONS" in os.environ


def test_time_limit(client, place):
    """The command has what it wrote before, gets SIGTERM, and nothing of it stays."""
    script = f"trap 'echo term; exit 9' TERM; echo $$ >{place}/pid; echo begun; while :; do sleep 0.1; done"
    content, is_error = client.call("run", command="sh", arguments=["-c", script], time_limit=5)
    assert is_error and content["timed_out"] and content["exit_status"] is None
    assert content["stdout"].startswith("begun")
    pid = int((place / "pid").read_text())
    wait_for(lambda: not os.path.exists(f"/proc/{pid}"))


def test_calls_run_beside_each_other_and_can_be_cancelled(client, place):
    script = f"echo $$ >{place}/pid.new; mv {place}/pid.new {place}/pid; exec sleep 1000"
    waiting = client.begin_call("run", command="sh", arguments=["-c", script])
    wait_for((place / "pid").exists)
    pid = int((place / "pid").read_text())
    assert client.good("run", command="echo", arguments=["beside"])["stdout"] == "beside\n"
    with pytest.raises(Failure) as failure:  # the same id again
        client.number -= 2
        client.ask("ping")
    assert failure.value.code == INVALID_REQUEST
    client.number += 100
    client.notify("notifications/cancelled", requestId=12345)  # of nothing
    client.notify("notifications/cancelled")
    client.notify("notifications/cancelled", requestId=waiting, reason="enough")
    wait_for(lambda: not os.path.exists(f"/proc/{pid}"))
    assert client.ask("ping") == {}
    assert waiting not in client.answers and client.close() == 0
    assert client.receive() is None  # the cancelled one had no answer


def test_no_more_than_16_calls(client, place):
    script = f"until [ -e {place}/gate ]; do sleep 0.1; done"
    calls = [client.begin_call("run", command="sh", arguments=["-c", script]) for _ in range(16)]
    assert client.bad("list") == "mcp.busy"
    assert client.ask("ping") == {}
    (place / "gate").touch()
    for call in calls:
        assert client.wait(call)["structuredContent"]["exit_status"] == 0
    assert client.good("list")["distros"]


def test_read(client, place):
    (place / "file").write_bytes(b"0123456789" * 100)
    path = str(place / "file")
    assert client.good("read", distro="box", path=path) == {
        "encoding": "utf-8", "content": "0123456789" * 100, "size": 1000, "offset": 0, "bytes": 1000}
    assert client.good("read", path=path, offset=995, limit=3)["content"] == "567"
    result = client.good("read", path=path, offset=2000)
    assert (result["content"], result["bytes"]) == ("", 0)
    result = client.good("read", path=path, limit=4, encoding="base64")
    assert base64.b64decode(result["content"]) == b"0123" and result["encoding"] == "base64"
    assert client.good("read", path="/proc/self/comm")["content"] == "berth-file\n"  # its size is 0


def test_read_of_bytes_and_of_half_characters(client, place):
    (place / "bytes").write_bytes(bytes(range(256)))
    result = client.good("read", path=f"{place}/bytes")
    assert result["encoding"] == "base64" and base64.b64decode(result["content"]) == bytes(range(256))
    (place / "text").write_text("aä€😀" * 50)
    text, offset = "", 0
    while offset < (place / "text").stat().st_size:
        part = client.good("read", path=f"{place}/text", offset=offset, limit=5)
        assert part["encoding"] == "utf-8" and part["bytes"] > 0
        text += part["content"]
        offset += part["bytes"]
    assert text == "aä€😀" * 50


def test_read_that_fails(client, place):
    os.mkfifo(place / "fifo")
    assert client.bad("read", path=f"{place}/none") == "file.open.missing"
    assert client.bad("read", path=str(place)) == "file.special"
    assert client.bad("read", path=f"{place}/fifo") == "file.special"
    assert client.bad("read", path="") == "file.open.missing"
    assert client.bad("read", path="/x" * 4000) == "file.open.io"
    assert client.bad("read") == "usage.arguments"
    assert client.bad("read", path="/etc/passwd", offset=-1) == "usage.value"


def test_write(client, place):
    path = place / "new file"
    assert client.good("write", path=str(path), content="ä\n")["notices"] == ""
    assert path.read_text() == "ä\n" and stat.S_IMODE(path.stat().st_mode) & 0o111 == 0
    path.chmod(0o751)
    (place / "link").symlink_to("new file")
    data = bytes(range(256)) * 3
    client.good("write", path=f"{place}/link", content=base64.b64encode(data).decode(), encoding="base64")
    assert path.read_bytes() == data and stat.S_IMODE(path.stat().st_mode) == 0o751
    assert (place / "link").is_symlink()
    client.good("write", path=str(path), content="")
    assert path.read_bytes() == b""
    big = "x" * (4 << 20)
    client.good("write", path=str(path), content=big)
    assert path.read_text() == big
    assert sorted(os.listdir(place)) == ["link", "new file"]


def test_write_that_fails_changes_nothing(client, place):
    (place / "directory").mkdir()
    (place / "dangling").symlink_to("nowhere")
    os.mkfifo(place / "fifo")
    before = sorted(os.listdir(place))
    for path, code in [(f"{place}/directory", "file.special"), (f"{place}/fifo", "file.special"),
                       (f"{place}/none/file", "file.open.missing"), (f"{place}/dangling", "file.open.missing"),
                       (f"{place}/new/", "file.open.io"), ("", "file.open.missing"), ("/proc/none", "file.write.missing")]:
        assert client.bad("write", path=path, content="x") == code, path
    assert client.bad("write", path=f"{place}/x", content="!!!!", encoding="base64") == "usage.value"
    assert client.bad("write", path=f"{place}/x", content="YQ", encoding="base64") == "usage.value"
    assert client.bad("write", path=f"{place}/x", content="x", encoding="latin-1") == "usage.value"
    assert client.bad("write", path=f"{place}/x") == "usage.arguments"
    assert sorted(os.listdir(place)) == before


def test_write_is_whole_or_not_at_all(box, place):
    """The guest's end on its own: input that ends early, or a signal, leaves the old file and nothing beside it."""
    (place / "file").write_text("old")
    guest = [str(box.support / "berth-guest"), "--file", "write", "1000", f"{place}/file"]
    result = subprocess.run(guest, input=b"half", stderr=subprocess.PIPE, timeout=LIMIT)
    assert result.returncode == 1 and result.stderr == b"input 125\n"
    process = subprocess.Popen(guest, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(b"half")
    process.stdin.flush()
    wait_for(lambda: len(os.listdir(place)) == 2)
    process.send_signal(signal.SIGTERM)
    assert process.wait(LIMIT) == 1
    assert os.listdir(place) == ["file"] and (place / "file").read_text() == "old"
    for words in ([], ["read"], ["read", "x", "1", "p"], ["write", "-1", "p"], ["write", "1"], ["read", "1", "1", "p", "q"]):
        assert subprocess.run([*guest[:2], *words], timeout=LIMIT).returncode == 2


def test_list_ports_status(box, rootfs, client):
    box("import", "other", rootfs).ok()
    assert [distro["name"] for distro in client.good("list")["distros"]] == ["box", "other"]
    assert client.good("ports") == {"schema": 1, "ports": []}
    assert client.bad("ports", distro="none") == "distro.not-found"
    assert client.good("status")["distros"] == 2


def test_life_of_a_distro(box, client):
    assert client.good("start", distro="box")["done"] == "box is running"
    assert box.info("box")["state"] == "running"
    assert client.good("terminate", distro="box")["done"] == "box is stopped"
    assert box.info("box")["state"] == "stopped"
    assert "was not running" in client.good("terminate", distro="box")["notices"]
    assert "was not running" in client.good("suspend", distro="box")["notices"]
    assert client.bad("terminate") == "usage.arguments"
    assert client.bad("terminate", distro="--force") == "distro.not-found"
    assert client.bad("start", distro="none") == "distro.not-found"


def test_snapshots(box, client):
    assert client.good("snapshots") == {"schema": 1, "snapshots": []}
    write(box, "first\n")
    taken = client.good("snapshot", distro="box", tag="first")
    assert (taken["done"], taken["output"], taken["notices"]) == ("box has a new snapshot", "first\n", "")
    write(box, "second\n")
    unnamed = client.good("snapshot", distro="box")["output"].strip()
    assert [snapshot["tag"] for snapshot in client.good("snapshots", distro="BOX")["snapshots"]] == ["first", unnamed]
    write(box, "third\n")
    restored = client.good("restore", distro="box", tag="FIRST")
    assert restored["done"] == "box has the disk of a snapshot" and read(box) == "first\n"
    assert "to take that back: berth restore box before-restore\n" in restored["output"]
    assert client.good("restore", distro="box", tag="before-restore") and read(box) == "third\n"
    assert f"({unnamed})" in client.good("undo", distro="box")["output"] and read(box) == "second\n"


def test_snapshots_of_a_distro_that_runs(box, client):
    client.good("snapshot", distro="box", tag="it")
    client.good("start", distro="box")
    assert client.good("snapshot", distro="box", tag="other")["output"] == "other\n"
    assert client.bad("restore", distro="box", tag="it") == "instance.running"
    assert client.bad("undo", distro="box") == client.bad("undo", distro="box", terminate=False) == "instance.running"
    assert [snapshot["tag"] for snapshot in client.good("snapshots")["snapshots"]] == ["it", "other"]
    # "it" is of a distro that was stopped, "other" has the memory of one that ran
    for tool, more, state in [("restore", {"tag": "it"}, "stopped"), ("restore", {"tag": "other"}, "parked"), ("undo", {}, "parked")]:
        client.good("start", distro="box")
        assert client.good(tool, distro="box", terminate=True, **more)["output"]
        assert box.info("box")["state"] == state


@pytest.mark.parametrize("tool, arguments, code", [
    ("snapshot", {}, "usage.arguments"), ("snapshot", {"distro": "none"}, "distro.not-found"),
    ("snapshot", {"distro": "box", "tag": "it"}, "snapshot.exists"), ("snapshot", {"distro": "box", "tag": "a/b"}, "snapshot.tag"),
    ("snapshot", {"distro": "box", "tag": ""}, "snapshot.tag"), ("snapshot", {"distro": "box", "tag": "--remove"}, "snapshot.tag"),
    ("snapshot", {"distro": "--remove", "tag": "it"}, "distro.not-found"), ("snapshot", {"distro": "box", "tag": 7}, "usage.value"),
    ("snapshots", {"distro": "none"}, "distro.not-found"), ("restore", {"distro": "box"}, "usage.arguments"),
    ("restore", {"tag": "it"}, "usage.arguments"), ("restore", {"distro": "box", "tag": "none"}, "snapshot.not-found"),
    ("restore", {"distro": "box", "tag": ""}, "snapshot.not-found"), ("restore", {"distro": "box", "tag": "it", "terminate": "yes"}, "usage.value"),
    ("restore", {"distro": "box", "tag": "it", "terminate": 1}, "usage.value"), ("undo", {}, "usage.arguments"),
    ("undo", {"distro": "other"}, "snapshot.none"), ("undo", {"distro": "box", "tag": "it"}, "usage.arguments")])
def test_snapshots_that_fail(box, rootfs, client, tool, arguments, code):
    box("import", "other", rootfs).ok()
    box("snapshot", "box", "it").ok()
    before = box("snapshots", "--json").ok(), files(box)
    assert client.bad(tool, **arguments) == code
    assert (box("snapshots", "--json").ok(), files(box)) == before


# --- its limits ---


def test_a_server_for_some_distros(box, rootfs, serve):
    for name in ("other", "third"):
        box("import", name, rootfs).ok()
    one = serve("--distro", "OTHER")
    assert [distro["name"] for distro in one.good("list")["distros"]] == ["other"]
    assert one.good("run", command="printenv", arguments=["BERTH_DISTRO"])["stdout"] == "other\n"  # without a name
    for tool, more in [("run", {"command": "true"}), ("read", {"path": "/etc/passwd"}), ("ports", {}), ("start", {}),
                       ("write", {"path": "/tmp/x", "content": ""}), ("terminate", {}), ("suspend", {}), ("snapshots", {}), ("snapshot", {}),
                       ("restore", {"tag": "it"}), ("undo", {})]:
        for name in ("box", "", "-", "other/../box", "{" + box.info("box")["id"] + "}"):
            assert one.bad(tool, distro=name, **more) == "mcp.distro", (tool, name)
    box("terminate", "other").ok()
    for name in ("box", "other"):
        box("snapshot", name, "it").ok()
    assert [snapshot["distro"] for snapshot in one.good("snapshots")["snapshots"]] == ["other"]
    assert one.good("undo", distro="OTHER")["done"]
    two = serve("--distro", "other", "-d", "third")
    assert two.bad("run", command="true") == "usage.arguments"
    assert two.good("run", distro="third", command="true")["exit_status"] == 0
    box("start", "box").ok()
    assert {port["distro"] for port in one.good("ports")["ports"]} <= {"other"}


def test_read_only(box, serve, place):
    client = serve("--read-only")
    (place / "file").write_text("text")
    assert client.good("read", path=f"{place}/file")["content"] == "text"
    for tool in ("run", "write", "start", "suspend", "terminate", "snapshot", "restore", "undo"):
        with pytest.raises(Failure) as failure:
            client.call(tool, distro="box", command="true")
        assert failure.value.code == INVALID_PARAMS


def test_usage(box):
    box("mcp", "-d", "none").failed(1, "distro.not-found")
    box("mcp", "word").failed(2, "usage.arguments")
    (box.support / "berth-mcp").unlink()
    box("mcp").failed(1, "mcp.program.missing")


# --- its end ---


def test_the_client_goes(box, serve, place):
    """Whether it closes its end, dies or sends a signal: calls that run are ended, and the server ends."""
    for how in ("close", "term", "hangup"):
        client = serve()
        marker = place / how
        client.begin_call("run", command="sh", arguments=["-c", f"echo $$ >{marker}.new; mv {marker}.new {marker}; exec sleep 1000"])
        wait_for(marker.exists)
        pid = int(marker.read_text())
        if how == "term":
            client.process.terminate()
        elif how == "hangup":
            client.process.send_signal(signal.SIGHUP)
        assert client.close() == 0
        wait_for(lambda: not os.path.exists(f"/proc/{pid}"))


def test_a_server_that_is_killed_leaves_no_call(box, serve, place):
    client = serve()
    client.begin_call("run", command="sh", arguments=["-c", f"echo $$ >{place}/new; mv {place}/new {place}/pid; exec sleep 1000"])
    wait_for((place / "pid").exists)
    client.process.kill()
    pid = int((place / "pid").read_text())
    wait_for(lambda: not os.path.exists(f"/proc/{pid}"))


def test_half_a_message_at_the_end(serve):
    client = serve()
    client.send_bytes(b'{"jsonrpc":"2.0","id":1,"method":"ping"}')
    assert client.close() == 0
    assert client.receive() is None
