"""Foreign clients, unmodified: pika in each of the ways that programs use it, amqplib of Node.js,
and HAProxy's health checks."""

import pathlib
import re
import shutil
import socket
import subprocess
import time
import unittest

import pika
import pika.exceptions

from amqp import PERSISTENT, Consumer, connect, fill
from harness import ROOT, SLOWNESS, Cluster, wait_until

NODE_BUILD = ROOT / "build" / "journeys-node"
NODE_SOURCE = pathlib.Path(__file__).resolve().parent / "node"


class OneNode(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(1)
        cls.addClassCleanup(cls.cluster.__exit__, None, None, None)
        cls.node = cls.cluster.start_all()[1]
        cls.port = cls.node.port

    def setUp(self):
        self.connection = connect(self.port)
        self.channel = self.connection.channel()
        self.addCleanup(lambda: self.connection.is_open and self.connection.close())

    def queue(self, name="", **options):
        return self.channel.queue_declare(name, **({"exclusive": True} | options)).method.queue

    def await_events(self, check, what):
        """As wait_until, with the connection's events processed meanwhile."""
        wait_until(lambda: self.connection.process_data_events(0.05) or check(), 10, what)

    def bodies(self, queue, channel=None):
        found = []
        while True:
            method, _, body = (channel or self.channel).basic_get(queue, auto_ack=True)
            if method is None:
                return found
            found.append(body)

    def closed_with(self, code, work):
        """The channel that `work` is given ends with this reply code."""
        channel = self.connection.channel()
        with self.assertRaises(pika.exceptions.ChannelClosedByBroker) as raised:
            work(channel)
        self.assertEqual(raised.exception.reply_code, code, raised.exception)
        return raised.exception.reply_text


class Pika(OneNode):
    def test_wrong_password_unknown_vhost_and_no_access(self):
        for options, code in (({"password": "wrong"}, 403), ({"user": "nosuch"}, 403),
                              ({"vhost": "nosuch"}, 530)):
            with self.subTest(**options), self.assertRaises(
                    (pika.exceptions.AMQPConnectionError)) as raised:
                connect(self.port, **options)
            error = raised.exception
            if code == 403:
                self.assertIsInstance(error, pika.exceptions.ProbableAuthenticationError)
            self.assertIn(str(code), repr(error))
        self.node.must("add_user", "carol", "pw")
        with self.assertRaises(pika.exceptions.AMQPConnectionError) as raised:
            connect(self.port, user="carol", password="pw")
        self.assertIn("530", repr(raised.exception))
        self.node.must("set_permissions", "carol", "^c", "^c", "^c")
        limited = connect(self.port, user="carol", password="pw")
        with self.assertRaises(pika.exceptions.ChannelClosedByBroker) as raised:
            limited.channel().queue_declare("other")
        self.assertEqual((raised.exception.reply_code, raised.exception.reply_text), (
            403, "ACCESS_REFUSED - access to queue 'other' in vhost '/' refused for user 'carol'"))
        limited.close()
        self.node.must("delete_user", "carol")

    def test_heartbeats_keep_a_quiet_connection_and_end_a_dead_one(self):
        quiet = connect(self.port, heartbeat=1)
        until = time.monotonic() + 4
        while time.monotonic() < until:
            quiet.process_data_events(0.2)
        self.assertTrue(quiet.is_open)
        quiet.close()
        dead = connect(self.port, heartbeat=1)  # never reads or writes again
        wire = dead._impl._transport._sock
        wait_until(lambda: self.is_at_end(wire), 10, "the silent client dropped")

    def is_at_end(self, wire):
        try:
            while True:
                if wire.recv(4096) == b"":
                    return True
        except BlockingIOError:
            return False
        except OSError:
            return True

    def test_four_kinds_of_exchanges(self):
        channel = self.channel
        cases = {
            "direct": ("k", {}, [("k", None, True), ("k2", None, False)]),
            "fanout": ("", {}, [("any", None, True)]),
            "topic": ("a.*.#", {}, [("a.b", None, True), ("a.b.c.d", None, True),
                                    ("a", None, False), ("b.a", None, False)]),
            "headers": ("", {"x-match": "all", "h": "1", "i": 2}, [
                ("", {"h": "1", "i": 2, "j": 3}, True), ("", {"h": "1"}, False)]),
        }
        channel.confirm_delivery()
        for kind, (key, arguments, tries) in cases.items():
            channel.exchange_declare(f"p.{kind}", kind, auto_delete=True)
            queue = self.queue()
            channel.queue_bind(queue, f"p.{kind}", key, arguments)
            for routing_key, headers, arrives in tries:
                with self.subTest(kind, key=routing_key):
                    channel.basic_publish(f"p.{kind}", routing_key, b"x",
                                          pika.BasicProperties(headers=headers))
                    self.assertEqual(self.bodies(queue), [b"x"] if arrives else [])
            channel.queue_delete(queue)
        self.closed_with(404, lambda c: c.exchange_declare("p.direct", passive=True))

    def test_mandatory_returns_and_confirms(self):
        returned = []
        self.channel.add_on_return_callback(lambda *arguments: returned.append(arguments))
        self.channel.basic_publish("", "nosuch", b"back", mandatory=True)
        self.await_events(lambda: returned, "basic.return")
        _, method, _, body = returned[0]
        self.assertEqual((method.reply_code, method.reply_text, body), (312, "NO_ROUTE", b"back"))
        self.channel.confirm_delivery()
        with self.assertRaises(pika.exceptions.UnroutableError):
            self.channel.basic_publish("", "nosuch", b"back", mandatory=True)
        queue = self.queue("p.confirmed", exclusive=False, durable=True)
        self.channel.basic_publish("", queue, b"kept", PERSISTENT, mandatory=True)
        self.assertEqual(self.bodies(queue), [b"kept"])
        fill(self.port, queue, 2000)
        self.assertEqual(self.channel.queue_purge(queue).method.message_count, 2000)
        self.assertEqual(self.channel.queue_delete(queue).method.message_count, 0)

    def test_get_reject_and_requeue_keep_the_order(self):
        queue = self.queue()
        properties = pika.BasicProperties(
            content_type="text/plain", headers={"t": [1, "two", {"three": True}]}, priority=3,
            correlation_id="c", reply_to="r", expiration="60000", message_id="m", timestamp=1,
            type="t", user_id="guest", app_id="a")
        for body in b"1", b"2", b"3":
            self.channel.basic_publish("", queue, body, properties)
        first, found, body = self.channel.basic_get(queue)
        self.assertEqual((body, first.redelivered, first.message_count), (b"1", False, 2))
        self.assertEqual(vars(found), vars(properties))
        second, _, _ = self.channel.basic_get(queue)
        self.channel.basic_nack(second.delivery_tag, multiple=True, requeue=True)
        again, _, body = self.channel.basic_get(queue)
        self.assertEqual((body, again.redelivered), (b"1", True))
        self.channel.basic_reject(again.delivery_tag, requeue=False)
        self.assertEqual(self.bodies(queue), [b"2", b"3"])
        self.closed_with(406, lambda c: (c.basic_ack(99), c.queue_declare(queue, passive=True)))

    def test_prefetch_limits_and_cancel_stops(self):
        queue = self.queue("p.qos", exclusive=False)
        for number in range(10):
            self.channel.basic_publish("", queue, str(number).encode())
        seen = []
        self.channel.basic_qos(prefetch_count=3)
        tag = self.channel.basic_consume(queue, lambda *arguments: seen.append(arguments))
        self.await_events(lambda: len(seen) == 3, "three deliveries")
        self.connection.process_data_events(0.2)
        self.assertEqual([body for *_, body in seen], [b"0", b"1", b"2"])
        self.channel.basic_ack(seen[1][1].delivery_tag, multiple=True)
        self.await_events(lambda: len(seen) == 5, "five deliveries")
        self.channel.basic_cancel(tag)
        self.channel.basic_nack(0, multiple=True, requeue=True)
        self.assertEqual(self.bodies(queue), [str(n).encode() for n in range(2, 10)])
        self.assertEqual(len(seen), 5)
        self.channel.queue_delete(queue)

    def test_transactions(self):
        queue = self.queue("p.tx", exclusive=False, durable=True)
        other = self.connection.channel()
        self.channel.tx_select()
        self.channel.basic_publish("", queue, b"gone", PERSISTENT)
        self.assertEqual(self.bodies(queue, other), [])
        self.channel.tx_rollback()
        self.channel.basic_publish("", queue, b"kept", PERSISTENT)
        self.channel.tx_commit()
        method, _, body = self.channel.basic_get(queue)
        self.assertEqual(body, b"kept")
        self.channel.basic_ack(method.delivery_tag)
        self.channel.tx_rollback()
        self.channel.basic_ack(method.delivery_tag)
        self.channel.tx_commit()
        self.assertEqual(self.bodies(queue, other), [])
        other.queue_delete(queue)

    def test_exclusive_auto_delete_and_server_named_queues(self):
        name = self.queue()
        self.assertRegex(name, r"^amq\.gen-[\w-]{22}$")
        other = connect(self.port)
        with self.assertRaises(pika.exceptions.ChannelClosedByBroker) as raised:
            other.channel().queue_declare(name, passive=True)
        self.assertEqual(raised.exception.reply_code, 405)
        self.connection.close()
        wait_until(lambda: name not in self.node.queues(), 10, "the exclusive queue gone")
        channel = other.channel()
        channel.queue_declare("p.auto", auto_delete=True)
        tag = channel.basic_consume("p.auto", lambda *_: None)
        self.assertIn("p.auto", self.node.queues())
        channel.basic_cancel(tag)
        wait_until(lambda: "p.auto" not in self.node.queues(), 10, "the auto-delete queue gone")
        other.close()

    def test_mismatches_and_missing_things(self):
        self.queue("p.args")
        text = self.closed_with(406, lambda c: c.queue_declare(
            "p.args", exclusive=True, arguments={"x-message-ttl": 1}))
        self.assertIn("inequivalent arg 'x-message-ttl' for queue 'p.args' in vhost '/'", text)
        self.closed_with(404, lambda c: c.queue_declare("nosuch", passive=True))
        self.closed_with(404, lambda c: c.queue_bind("p.args", "nosuch", "k"))
        self.closed_with(403, lambda c: c.queue_declare("amq.mine"))
        self.closed_with(403, lambda c: c.exchange_delete("amq.direct"))
        self.closed_with(404, lambda c: (c.confirm_delivery(), c.basic_publish("nosuch", "", b"")))

    def test_large_messages_and_many_channels(self):
        queue = self.queue()
        self.channel.confirm_delivery()
        bodies = [bytes([size % 251]) * size for size in (0, 1, 131064, 131065, 5000000)]
        for body in bodies:
            self.channel.basic_publish("", queue, body)
        self.assertEqual(self.bodies(queue), bodies)
        channels = [self.connection.channel() for _ in range(200)]
        for channel in channels:
            channel.basic_publish("", queue, b"one each")
        wait_until(lambda: self.channel.queue_declare(queue, passive=True)
                   .method.message_count == 200, 10, "a message of each channel")


class Amqplib(OneNode):
    def test_amqplib_of_node_js(self):
        npm, node = shutil.which("npm"), shutil.which("node")
        if not npm or not node:
            self.skipTest("amqplib_of_node_js: npm or node is not installed")
        NODE_BUILD.mkdir(parents=True, exist_ok=True)
        for name in "package.json", "journey.js":
            shutil.copy(NODE_SOURCE / name, NODE_BUILD / name)
        if not (NODE_BUILD / "node_modules" / "amqplib").exists():
            installed = subprocess.run(
                [npm, "install", "--no-audit", "--no-fund", "--fetch-retries=1"], cwd=NODE_BUILD,
                capture_output=True, text=True, timeout=120, check=False)
            if installed.returncode != 0:
                last = installed.stderr.strip().splitlines()[-3:]
                self.skipTest(f"amqplib_of_node_js: npm can't install amqplib: {last}")
        done = subprocess.run([node, "journey.js", str(self.port)], cwd=NODE_BUILD, text=True,
                              capture_output=True, timeout=60 * SLOWNESS, check=False)
        self.assertEqual((done.returncode, done.stdout.splitlines()[-1:]), (0, ["ok"]),
                         done.stdout + done.stderr)


class HaProxy(OneNode):
    def test_bare_tcp_checks_cost_nothing_and_log_nothing(self):
        lines = self.node.log().count("\n")
        for _ in range(200):
            with socket.create_connection(("127.0.0.1", self.port)) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                 b"\x01\0\0\0\0\0\0\0")  # as HAProxy does: ends with a reset
        wait_until(lambda: len(self.node.http("/api/connections")[1]) <= 1, 10, "no connections")
        self.connection.channel().close()
        new = self.node.log().split("\n")[lines:]
        noisy = [line for line in new if re.search(r"\[(info|notice|warning|error)\]", line)]
        self.assertEqual(noisy, [])

    def test_clients_through_haproxy(self):
        self.cluster.start_haproxy()
        self.channel.queue_declare("proxied", durable=True)
        consumer = Consumer(self.cluster.proxy_port, "proxied").start()
        fill(self.cluster.proxy_port, "proxied", 1000)
        wait_until(lambda: len(consumer.seen) == 1000, 20, "all messages")
        consumer.stop()
        self.assertEqual([int(body) for body in consumer.bodies()], list(range(1000)))
        self.channel.queue_delete("proxied")


if __name__ == "__main__":
    unittest.main()
