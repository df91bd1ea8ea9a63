"""Messages that wait at an exchange that delays, while the node that holds them dies, and while the
whole cluster is restarted."""

import time
import unittest

import pika

from amqp import connect
from harness import Cluster, wait_until

PLUGINS = "[rabbitmq_management,rabbitmq_delayed_message_exchange].\n"
EXCHANGE, QUEUE = "later", "cluster_due"
WAITING = "amq.delayed." + EXCHANGE


def prepare(node):
    with connect(node.port) as connection:
        channel = connection.channel()
        channel.exchange_declare(EXCHANGE, "x-delayed-message", durable=True,
                                 arguments={"x-delayed-type": "direct"})
        channel.queue_declare(QUEUE, durable=True)
        channel.queue_bind(QUEUE, EXCHANGE, "k")


def publish(node, delays_ms):
    """Each with its time, in milliseconds since 1970, as its body; answers when all are confirmed."""
    with connect(node.port) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for number, delay in enumerate(delays_ms):
            due = int(time.time() * 1000) + delay
            channel.basic_publish(EXCHANGE, "k", f"{number} {due}".encode(),
                                  pika.BasicProperties(delivery_mode=2,
                                                       headers={"x-delay": delay}))


def take(node, count, seconds):
    """What comes, with the time at which it did; ends when there are `count` different ones."""
    taken = {}
    with connect(node.port) as connection:
        channel = connection.channel()
        end = time.time() + seconds
        for method, properties, body in channel.consume(QUEUE, inactivity_timeout=0.2):
            if method:
                number, due = map(int, body.split())
                taken.setdefault(number, (time.time() * 1000, due, properties.headers["x-delay"]))
                channel.basic_ack(method.delivery_tag)
            if len(taken) == count or time.time() > end:
                break
        channel.cancel()
    return taken


def waiting(node):
    row = node.queues("messages", "pid").get(WAITING)
    return int(row["messages"]) if row else None


def holder(cluster, eyes):
    _, queue = eyes.http(f"/api/queues/%2F/{WAITING}")
    return next(node for node in cluster.nodes if node.full_name == queue["node"])


class Delayed(unittest.TestCase):
    def check(self, taken, count):
        self.assertEqual(sorted(taken), list(range(count)))
        for number, (came, due, delay) in taken.items():
            self.assertGreaterEqual(came, due, f"message {number} came too early")
            self.assertLess(delay, 0)

    def test_the_node_that_holds_them_dies(self):
        with Cluster(3, plugins=PLUGINS) as cluster:
            cluster.start_all().join_all().mirror()
            prepare(cluster[1])
            delays = [8000 + 20 * (n * 7 % 300) for n in range(300)]
            publish(cluster[2], delays)
            self.assertEqual(waiting(cluster[1]), len(delays))
            dead = holder(cluster, cluster[1])
            eyes = next(node for node in cluster.nodes if node is not dead)
            dead.kill()
            wait_until(lambda: holder(cluster, eyes) is not dead, 20, "another holder")
            self.assertEqual(waiting(eyes), len(delays))
            dead.start()
            self.check(take(eyes, len(delays), 60), len(delays))
            wait_until(lambda: waiting(eyes) == 0, 10, "an empty queue")

    def test_the_whole_cluster_is_restarted(self):
        with Cluster(3, plugins=PLUGINS) as cluster:
            cluster.start_all().join_all().mirror()
            prepare(cluster[1])
            delays = [10 if n % 3 == 0 else 15000 for n in range(90)]
            publish(cluster[3], delays)
            cluster.kill(cluster.nodes)
            for node in cluster.nodes:
                node.launch()
            for node in cluster.nodes:
                node.await_running(60)
            self.check(take(cluster[2], len(delays), 60), len(delays))

    def test_what_clients_are_told(self):
        with Cluster(1, plugins=PLUGINS) as cluster:
            node = cluster.start_all()[1]
            prepare(node)

            def refusal(call):
                with connect(node.port) as connection:
                    with self.assertRaises(
                            (pika.exceptions.ChannelClosed, pika.exceptions.ConnectionClosed)) as at:
                        call(connection.channel())
                return at.exception.reply_code, at.exception.reply_text

            def declare(arguments):
                return lambda channel: channel.exchange_declare(
                    "other", "x-delayed-message", arguments=arguments)

            self.assertEqual(refusal(declare({})), (406, (
                "PRECONDITION_FAILED - Invalid argument, 'x-delayed-type' must be an existing "
                "exchange type")))
            self.assertEqual(refusal(declare({"x-delayed-type": "x-delayed-message"})), (406, (
                "PRECONDITION_FAILED - Invalid argument, 'x-delayed-message' can't be used for "
                "'x-delayed-type'")))
            self.assertEqual(refusal(declare({"x-delayed-type": "x-nosuch"})), (503, (
                "COMMAND_INVALID - unknown exchange type 'x-nosuch'")))
            closed = (f"ACCESS_REFUSED - queue '{WAITING}' in vhost '/' holds the delayed messages "
                      "of an exchange")
            for call in (lambda channel: channel.basic_get(WAITING),
                         lambda channel: channel.basic_consume(WAITING, print),
                         lambda channel: channel.queue_purge(WAITING),
                         lambda channel: channel.queue_delete(WAITING),
                         lambda channel: channel.queue_bind(WAITING, "amq.direct", "k")):
                self.assertEqual(refusal(call), (403, closed))
            with connect(node.port) as connection:
                channel = connection.channel()
                channel.confirm_delivery()
                with self.assertRaises(pika.exceptions.UnroutableError):
                    channel.basic_publish(EXCHANGE, "k", b"mandatory", pika.BasicProperties(
                        headers={"x-delay": 300}), mandatory=True)
                channel.basic_publish(EXCHANGE, "k", b"at once", pika.BasicProperties(
                    headers={"x-delay": -1}), mandatory=True)
            wait_until(lambda: waiting(node) == 0, 10, "the message to be due")
            self.assertEqual(node.queues("messages")[QUEUE]["messages"], 2)

    def test_blind_copies_wait_too(self):
        with Cluster(1, plugins=PLUGINS) as cluster:
            node = cluster.start_all()[1]
            prepare(node)
            with connect(node.port) as connection:
                channel = connection.channel()
                channel.queue_declare("blind", durable=True)
                channel.queue_bind("blind", EXCHANGE, "b")
                channel.basic_publish(EXCHANGE, "k", b"body", pika.BasicProperties(
                    headers={"x-delay": 200, "BCC": ["b"]}))
                for queue in (QUEUE, "blind"):
                    _, properties, body = next(channel.consume(queue, inactivity_timeout=10))
                    self.assertEqual(body, b"body")
                    self.assertEqual(properties.headers, {"x-delay": -200})
                    channel.cancel()


if __name__ == "__main__":
    unittest.main()
