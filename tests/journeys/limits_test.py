"""The limits of queues through restarts and failovers."""

import time
import unittest

import pika
import pika.exceptions

from amqp import connect
from harness import SLOWNESS, Cluster, wait_until

DURABLE = pika.BasicProperties(delivery_mode=2)
TTL_MS = int(6000 * SLOWNESS)


def publish(node, queue, bodies, properties=DURABLE):
    """With confirms; the bodies of what was refused."""
    connection = connect(node.port)
    channel = connection.channel()
    channel.confirm_delivery()
    refused = []
    for body in bodies:
        try:
            channel.basic_publish("", queue, body, properties)
        except pika.exceptions.NackError:
            refused.append(body)
    connection.close()
    return refused


def declare(node, queue, arguments):
    connection = connect(node.port)
    found = connection.channel().queue_declare(queue, durable=True, arguments=arguments)
    connection.close()
    return found.method.message_count


def bodies_in(node, queue):
    connection = connect(node.port)
    channel = connection.channel()
    bodies = []
    while (found := channel.basic_get(queue, auto_ack=True))[0]:
        bodies.append(found[2])
    connection.close()
    return bodies


class Restart(unittest.TestCase):
    def test_ages_go_on_and_a_queue_s_expiry_begins_anew(self):
        with Cluster(1) as cluster:
            node = cluster[1].start()
            ttl, expires = {"x-message-ttl": TTL_MS}, {"x-expires": TTL_MS}
            declare(node, "aging", ttl)
            declare(node, "unused", expires)
            self.assertEqual(publish(node, "aging", [b"old"]), [])
            began = time.monotonic()
            node.stop()
            time.sleep(TTL_MS / 2000)
            node.start()
            started = time.monotonic()
            self.assertEqual(publish(node, "aging", [b"young"]), [])
            time.sleep(max(0, began + TTL_MS / 1000 + 0.3 - time.monotonic()))
            self.assertEqual(bodies_in(node, "aging"), [b"young"])
            self.assertIn("unused", [queue["name"] for queue in node.json("list_queues")])
            time.sleep(max(0, started + TTL_MS / 1000 - time.monotonic()))
            wait_until(lambda: "unused" not in [queue["name"] for queue in
                                                node.json("list_queues")], 10, "the queue's end")


class Failover(unittest.TestCase):
    def test_limits_hold_on_the_next_leader(self):
        with Cluster(3) as cluster:
            one, two, three = cluster.start_all().join_all().nodes
            cluster.mirror("^")
            declare(one, "aging", {"x-message-ttl": TTL_MS})
            declare(one, "full", {"x-max-length": 3, "x-overflow": "reject-publish"})
            declare(one, "newest", {"x-max-length": 3})
            one.must("set_operator_policy", "o", "^newest$", '{"max-length":2}')
            numbers = [b"%d" % number for number in range(5)]
            self.assertEqual(publish(two, "full", numbers), numbers[3:])
            self.assertEqual(publish(three, "newest", numbers), [])
            self.assertEqual(publish(two, "aging", [b"old"]), [])
            began = time.monotonic()
            one.kill()
            time.sleep(TTL_MS / 2000)
            self.assertEqual(publish(two, "aging", [b"young"]), [])
            self.assertEqual(publish(three, "full", [b"more"]), [b"more"])
            self.assertEqual(bodies_in(two, "full"), numbers[:3])
            self.assertEqual(publish(three, "newest", [b"more"]), [])
            self.assertEqual(bodies_in(two, "newest"), [numbers[4], b"more"])
            time.sleep(max(0, began + TTL_MS / 1000 + 0.3 - time.monotonic()))
            self.assertEqual(bodies_in(three, "aging"), [b"young"])


if __name__ == "__main__":
    unittest.main()
