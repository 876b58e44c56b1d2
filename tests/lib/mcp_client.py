# SPDX-License-Identifier: MIT
"""A client of the Model Context Protocol, as much as the tests need: one process, a message a line."""
import json
import queue
import threading

from waiting import LIMIT

VERSION = "2025-11-25"


class Failure(Exception):
    """An error of JSON-RPC's."""

    def __init__(self, error):
        super().__init__(error["message"])
        self.code = error["code"]


class Client:
    """Speaks with @process, whose standard input and output are pipes."""

    def __init__(self, process):
        self.process = process
        self.lines = queue.Queue()
        self.answers = {}
        self.number = 0
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def send_bytes(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, message):
        self.send_bytes(json.dumps(message).encode() + b"\n")

    def receive(self, timeout=LIMIT):
        """The next message, whatever it is; None: the server has closed its end."""
        line = self.lines.get(timeout=timeout)
        if line is None:
            return None
        assert line.endswith(b"\n")
        return json.loads(line.decode())

    def begin(self, method, **params):
        """Send a request; its id."""
        self.number += 1
        self.send({"jsonrpc": "2.0", "id": self.number, "method": method, "params": params})
        return self.number

    def wait(self, number, timeout=LIMIT):
        """The result of the request with that id."""
        while number not in self.answers:
            message = self.receive(timeout)
            assert message is not None, "the server ended"
            assert message["jsonrpc"] == "2.0"
            self.answers[message["id"]] = message
        answer = self.answers.pop(number)
        if "error" in answer:
            raise Failure(answer["error"])
        return answer["result"]

    def ask(self, method, **params):
        return self.wait(self.begin(method, **params))

    def notify(self, method, **params):
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def initialize(self, version=VERSION):
        result = self.ask("initialize", protocolVersion=version, capabilities={},
                          clientInfo={"name": "test", "version": "1"})
        self.notify("notifications/initialized")
        return result

    def begin_call(self, name, **arguments):
        return self.begin("tools/call", name=name, arguments=arguments)

    def call(self, name, **arguments):
        """What a tool gives: its structured content, and whether it is an error."""
        result = self.ask("tools/call", name=name, arguments=arguments)
        assert [block["type"] for block in result["content"]] == ["text"]
        return result["structuredContent"], result["isError"]

    def good(self, name, **arguments):
        content, is_error = self.call(name, **arguments)
        assert not is_error, content
        return content

    def bad(self, name, **arguments):
        """The stable id of a failure."""
        content, is_error = self.call(name, **arguments)
        assert is_error, content
        return content["error"]["code"]

    def close(self, timeout=LIMIT):
        """End as the protocol says; the exit status."""
        if not self.process.stdin.closed:
            self.process.stdin.close()
        return self.process.wait(timeout)
