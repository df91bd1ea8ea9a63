"""What strangers and ill-meaning clients may cost: memory in proportion to what they send, and a
broker that serves others meanwhile."""

import contextlib
import os
import pathlib
import resource
import shutil
import socket
import ssl
import struct
import time
import unittest

import wire
from harness import BIN, SLOWNESS, Cluster, wait_until
from tls_test import Certificates
from wire import HEADER, octets_of_line

STRANGERS = 1000
START_OK = octets_of_line('0 connection.start-ok mechanism=PLAIN response="\\0guest\\0guest" '
                          "locale=en_US")
LOGIN = (HEADER + START_OK +
         octets_of_line("0 connection.tune-ok channel_max=2047 frame_max=131072 heartbeat=0") +
         octets_of_line("0 connection.open virtual_host=/"))
HAS_SANITIZERS = b"__asan_init" in pathlib.Path(
    os.path.realpath(BIN / "rabbitmq-server")).read_bytes()


def resident_mb(node):
    status = pathlib.Path(f"/proc/{node.pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines()
                if line.startswith("VmRSS:"))


def log_in(node):
    client = wire.Client(node.port)
    client.send(LOGIN)
    while client.next_line(10 * SLOWNESS) != "0 connection.open-ok":
        assert not client.ended
    return client


def finish(client, channel=1, seconds=60):
    """Until the channel has worked through what it was sent; what it or the connection said last."""
    client.send(octets_of_line(f"{channel} basic.qos count=0"))
    while True:
        line = client.next_line(seconds * SLOWNESS)
        if line is None or client.ended or ".close " in line or \
                line == f"{channel} basic.qos-ok":
            return line


class Base(unittest.TestCase):
    conf = ""

    def setUp(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8192)), hard))
        self.cluster = Cluster(1, conf=self.conf)
        self.addCleanup(self.cluster.__exit__, None, None, None)

    def start(self):
        return self.cluster[1].start()

    @contextlib.contextmanager
    def at_most(self, megabytes, what):
        before = resident_mb(self.cluster[1])
        yield
        grown = resident_mb(self.cluster[1]) - before
        print(f"  {what}: {grown:+.1f} MB")
        if not HAS_SANITIZERS:
            self.assertLess(grown, megabytes, what)

    def strangers(self, port, octets, count=STRANGERS):
        """Connections that send this and go on holding the line."""
        found = []
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", port))
            self.addCleanup(connection.close)
            connection.sendall(octets)
            found.append(connection)
        return found

    def assert_ended(self, connections, seconds):
        deadline = time.monotonic() + seconds * SLOWNESS
        for connection in connections:
            with contextlib.suppress(ConnectionError):
                connection.settimeout(max(deadline - time.monotonic(), 0.01))
                while connection.recv(1 << 16):
                    pass


class Strangers(Base):
    conf = "handshake_timeout = 3000\n"

    def test_who_does_not_log_in_costs_little_and_is_sent_away(self):
        node = self.start()
        half_frame = struct.pack(">BHI", 1, 0, 4096) + b"x" * 4000
        for what, octets, megabytes in (
                ("1000 that say nothing", b"", 8), ("1000 that begin", HEADER, 12),
                ("1000 with half a frame", HEADER + half_frame, 20)):
            with self.at_most(megabytes, what):
                connections = self.strangers(node.port, octets)
                finish(self.opened(node))
            self.assert_ended(connections, 10)

    def test_a_frame_that_is_too_large_for_a_stranger_ends_the_connection(self):
        node = self.start()
        with self.at_most(8, "100 that announce large frames"):
            connections = self.strangers(
                node.port, HEADER + struct.pack(">BHI", 1, 0, 131064) + b"x" * 5000, 100)
            self.assert_ended(connections, 10)

    def test_the_body_of_a_stranger_s_request_is_not_waited_for(self):
        node = self.start()
        head = b"PUT /api/users/x HTTP/1.1\r\nHost: x\r\nContent-Length: 16000000\r\n\r\n"
        with self.at_most(20, "100 requests of 16 MB"):
            for connection in self.strangers(node.http_port, head, 100):
                connection.settimeout(10 * SLOWNESS)
                self.assertTrue(connection.recv(4096).startswith(b"HTTP/1.1 401 "))
            self.assertEqual(node.http("/api/whoami")[0], 200)

    def opened(self, node):
        client = log_in(node)
        client.send(octets_of_line("1 channel.open"))
        return client


class TlsStrangers(Base):
    def test_who_does_not_finish_the_handshake_of_tls_is_sent_away(self):
        if not shutil.which("openssl"):
            self.skipTest("openssl is not installed")
        keys = Certificates(self.cluster.home / "tls")
        keys.issue("server", "/CN=localhost", "DNS:localhost,IP:127.0.0.1")
        port = self.cluster.spare_port
        (self.cluster.home / "rabbitmq.conf").write_text(
            f"listeners.ssl.1 = 127.0.0.1:{port}\nssl_handshake_timeout = 3000\n"
            f"ssl_options.cacertfile = {keys.ca}\n"
            f"ssl_options.certfile = {keys.folder}/server.pem\n"
            f"ssl_options.keyfile = {keys.folder}/server.key\n")
        self.cluster.environment["RABBITMQ_CONFIG_FILE"] = str(self.cluster.home / "rabbitmq.conf")
        self.start()
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        hello = keys.context().wrap_bio(incoming, outgoing, server_hostname="localhost")
        with contextlib.suppress(ssl.SSLWantReadError):
            hello.do_handshake()
        first = outgoing.read()
        for what, octets, megabytes in (("300 that say nothing", b"", 10),
                                        ("300 that say hello", first, 40),
                                        ("300 with half a hello", first[:100], 20)):
            with self.at_most(megabytes, f"TLS: {what}"):
                connections = self.strangers(port, octets, 300)
                with keys.context().wrap_socket(socket.create_connection(("127.0.0.1", port)),
                                                server_hostname="localhost") as served:
                    served.settimeout(10 * SLOWNESS)
                    served.sendall(HEADER)
                    self.assertTrue(served.recv(4096))
            self.assert_ended(connections, 10)


class Clients(Base):
    def test_announcements_reserve_nothing(self):
        client = self.client(channels=2047)
        for size in 1_000_000, 130_000_000:
            with self.at_most(24, f"2046 bodies of {size} announced"):
                for number in range(1, 2047):
                    client.send(octets_of_line(f"{number} basic.publish key=q") +
                                octets_of_line(f"{number} header size={size}") +
                                octets_of_line(f"{number} body x"))
                self.assertEqual(finish(client, 2047), "2047 basic.qos-ok")
            client = self.client(channels=2047)

    def test_consumers_and_bindings_cost_what_their_names_do(self):
        client, name = self.client(), "n" * 240
        client.send(octets_of_line("1 queue.declare queue=q"))
        with self.at_most(60, "20000 consumers, 5 MB on the wire"):
            client.send(b"".join(octets_of_line(f"1 basic.consume queue=q tag={name}{i} no_wait")
                                 for i in range(20000)))
            self.assertEqual(finish(client), "1 basic.qos-ok")
        with self.at_most(100, "10000 bindings, 2.7 MB on the wire"):
            client.send(b"".join(octets_of_line(
                f"1 queue.bind queue=q exchange=amq.topic key={'#.' * 100}{i} no_wait")
                                 for i in range(10000)))
            self.assertEqual(finish(client), "1 basic.qos-ok")
        began = time.monotonic()
        client.send(octets_of_line(f"1 basic.publish exchange=amq.topic key={'a.' * 120} body=x"))
        self.assertEqual(finish(client), "1 basic.qos-ok")
        self.assertLess(time.monotonic() - began, 2 * SLOWNESS)

    def test_a_transaction_has_a_limit_whatever_it_is_made_of(self):
        method = wire.frame(1, 1, wire.encode_method("basic.publish", {"key": "q"}))
        for what, header, body in (
                ("headers", "headers={h:" + "z" * 100_000 + "}", b"x"),
                ("bodies", "content_type=x", b"x" * 100_000)):
            client = self.client()
            client.send(octets_of_line("1 tx.select"))
            self.assertEqual(client.next_line(10 * SLOWNESS), "1 tx.select-ok")
            publish = method + octets_of_line(f"1 header size={len(body)} {header}") + \
                wire.frame(3, 1, body)
            with self.at_most(350, f"a transaction with 300 MB of {what}"):
                said = None
                for _ in range(3000):
                    client.send(publish)
                    said = said or client.next_line(0)
            said = said or client.next_line(60 * SLOWNESS)
            self.assertIn("PRECONDITION_FAILED - transaction is too large", said or "")
            client.socket.close()

    def test_nesting_has_an_end(self):
        deep = b""
        for _ in range(20000):
            deep = b"\0F" + struct.pack(">I", len(deep)) + deep
        table = struct.pack(">I", len(deep)) + deep
        client = self.client()
        with self.at_most(8, "headers and arguments 20000 tables deep"):
            # Nobody looks into the headers of what goes to a queue by its name.
            client.send(octets_of_line("1 queue.declare queue=q") +
                        wire.frame(1, 1, wire.encode_method("basic.publish", {"key": "q"})) +
                        wire.frame(2, 1, struct.pack(">HHQH", 60, 0, 1, 0x2000) + table) +
                        wire.frame(3, 1, b"x"))
            self.assertEqual(finish(client), "1 basic.qos-ok")
            client.send(wire.frame(1, 1, struct.pack(">HHH", 50, 10, 0) + b"\1d\0" + table))
            self.assertIn("FRAME_ERROR", finish(client))

    def test_who_does_not_read_is_not_written_to_without_end(self):
        for what, line in (("returns", "1 basic.publish key=nowhere mandatory body=" + "x" * 10000),
                           ("answers", "1 queue.declare queue=q passive")):
            client = self.client()
            client.send(octets_of_line("1 queue.declare queue=q"))
            octets = octets_of_line(line)
            client.socket.settimeout(1)
            with self.at_most(24, f"{what} that are not read"), contextlib.suppress(TimeoutError):
                for _ in range(100):
                    client.socket.sendall(octets * (1_000_000 // len(octets)))
            client.socket.close()

    def client(self, channels=1):
        if not self.cluster[1].pid:
            self.start()
        client = log_in(self.cluster[1])
        self.addCleanup(client.socket.close)
        client.send(b"".join(octets_of_line(f"{number} channel.open")
                             for number in range(1, channels + 1)))
        finish(client, channels)
        return client

    def tearDown(self):
        node = self.cluster[1]
        wait_until(lambda: node.http("/api/whoami")[0] == 200, 10, "an answer afterwards")


if __name__ == "__main__":
    unittest.main()
