"""Name servers of this host, which the tests are."""
import socket
import threading


class NameServer:
    """@answer makes a reply of a query, or None."""

    def __init__(self, answer, by_tcp=None, address="127.0.0.1"):
        self.answer, self.by_tcp, self.asked = answer, by_tcp, 0
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.udp = socket.socket(family, socket.SOCK_DGRAM)
        while True:
            self.udp.bind((address, 0))
            port = self.udp.getsockname()[1]
            try:
                self.tcp = socket.create_server((address, port), family=family)
                break
            except OSError:
                self.udp.close()
                self.udp = socket.socket(family, socket.SOCK_DGRAM)
        self.name = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        threading.Thread(target=self.serve, daemon=True).start()
        threading.Thread(target=self.serve_tcp, daemon=True).start()

    def serve(self):
        while True:
            query, peer = self.udp.recvfrom(4096)
            self.asked += 1
            reply = self.answer(query)
            if reply is not None:
                self.udp.sendto(reply, peer)

    def serve_tcp(self):
        while True:
            client, _ = self.tcp.accept()
            stream = client.makefile("rb")
            query = stream.read(int.from_bytes(stream.read(2), "big"))
            reply = (self.by_tcp or self.answer)(query)
            client.sendall(len(reply).to_bytes(2, "big") + reply)
            client.close()


def question_of(query):
    """The question's bytes: its name, type and class."""
    end = query.index(b"\0", 12) + 5
    return query[12:end]


def reply(query, flags, *records):
    """Source: RFC 1035, 4.1. Each record's name is the question's."""
    body = b"".join(b"\xc0\x0c" + kind.to_bytes(2, "big") + b"\0\1\0\0\0\x3c" + len(data).to_bytes(2, "big") + data
                    for kind, data in records)
    return query[:2] + flags.to_bytes(2, "big") + b"\0\1" + len(records).to_bytes(2, "big") + b"\0\0\0\0" + question_of(query) + body


def an_address(last):
    """Answers every question for an address of IPv4 with 198.51.100.@last, and others with nothing."""
    def answer(query):
        records = [(1, bytes([198, 51, 100, last]))] if question_of(query)[-4:-2] == b"\0\1" else []
        return reply(query, 0x8180, *records)
    return answer
