"""Who gets which message when, where that is more than one node's or one moment's business."""

import random
import time
import unittest

import pika
import pika.exceptions

from amqp import connect
from harness import SLOWNESS, Cluster, wait_until

MESSAGES, MOST = 2000, 5


class OverNodes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(2)
        cls.addClassCleanup(cls.cluster.__exit__, None, None, None)
        cls.nodes = cls.cluster.start_all().join_all().nodes

    def channel(self, node):
        connection = connect(node.port)
        self.addCleanup(lambda: connection.is_open and connection.close())
        return connection.channel()

    def declare(self, channel, name, **options):
        """Returns when every node knows of the queue."""
        channel.queue_declare(name, **options)
        for node in self.nodes:
            wait_until(lambda: name in node.queues(), 5, f"{name} on {node.name}")

    def test_direct_replies_come_from_another_node(self):
        client, server = map(self.channel, self.nodes)
        answers, returned = [], []
        client.basic_consume("amq.rabbitmq.reply-to", lambda *all: answers.append(all[3]),
                             auto_ack=True)
        self.declare(server, "questions")
        client.basic_publish("", "questions", b"?", pika.BasicProperties(
            reply_to="amq.rabbitmq.reply-to"))
        _, properties, _ = wait_until(lambda: self.got(server, "questions"), 10, "the question")
        for answer in b"one", b"two":
            server.basic_publish("", properties.reply_to, answer)
        wait_until(lambda: client.connection.process_data_events(0.05) or len(answers) == 2, 10,
                   "two answers")
        self.assertEqual(answers, [b"one", b"two"])
        server.queue_declare(properties.reply_to, passive=True)
        server.add_on_return_callback(lambda *all: returned.append(all[1].reply_code))
        client.close()

        def is_returned():
            server.basic_publish("", properties.reply_to, b"late", mandatory=True)
            server.connection.process_data_events(0.05)
            return returned

        wait_until(is_returned, 10, "the return of a late answer")
        self.assertEqual(returned[0], 312)

    def got(self, channel, queue):
        found = channel.basic_get(queue, auto_ack=True)
        return found if found[0] else None

    def test_one_consumer_is_active_and_listed_so(self):
        node = self.nodes[0]
        first, second = map(self.channel, self.nodes)
        self.declare(first, "single", arguments={"x-single-active-consumer": True})
        seen = []
        for channel, tag in (first, "one"), (second, "two"):
            channel.basic_consume("single", lambda _, method, *rest: seen.append(
                method.consumer_tag), auto_ack=True, consumer_tag=tag)
        self.assertEqual(self.listed(node), {"one": True, "two": False})
        _, queue = node.http("/api/queues/%2F/single")
        self.assertEqual(queue["single_active_consumer_tag"], "one")
        self.assertEqual({c["consumer_tag"]: c["activity_status"]
                          for c in queue["consumer_details"]},
                         {"one": "single_active", "two": "waiting"})
        first.connection.close()
        wait_until(lambda: self.listed(node) == {"two": True}, 10, "the next one in line")
        self.channel(node).basic_publish("", "single", b"x")
        wait_until(lambda: second.connection.process_data_events(0.05) or seen, 10, "a message")
        self.assertEqual(seen, ["two"])

    def listed(self, node):
        return {row["consumer_tag"]: row["active"] for row in
                node.json("list_consumers", "queue_name", "consumer_tag", "active")
                if row["queue_name"] == "single"}


class OneNode(unittest.TestCase):
    def test_the_urgent_go_first_from_disk_and_after_a_restart(self):
        with Cluster(1, conf="message_memory = 1MB\n").start_all() as cluster:
            node, chance = cluster[1], random.Random(1)
            connection = connect(node.port)
            channel = connection.channel()
            channel.queue_declare("urgent", durable=True, arguments={"x-max-priority": MOST})
            sent = [chance.randrange(8) for _ in range(MESSAGES)]
            for number, priority in enumerate(sent):
                channel.basic_publish("", "urgent", b"%d " % number + b"x" * 2000,
                                      pika.BasicProperties(delivery_mode=2, priority=priority))
            wait_until(lambda: channel.queue_declare("urgent", passive=True).method.message_count
                       == MESSAGES, 10, "all messages there")
            connection.close()
            expected = sorted(range(MESSAGES), key=lambda i: (-min(sent[i], MOST), i))
            self.assertEqual(self.take(node, MESSAGES // 4), expected[:MESSAGES // 4])
            node.stop()
            node.start()
            self.assertEqual(self.take(node, MESSAGES), expected[MESSAGES // 4:])

    def take(self, node, most):
        """The numbers of the messages that come, acknowledged."""
        connection = connect(node.port)
        channel = connection.channel()
        channel.basic_qos(prefetch_count=100)
        seen = []
        for method, _, body in channel.consume("urgent", inactivity_timeout=2):
            if method is None:
                break
            seen.append(int(body.split()[0]))
            channel.basic_ack(method.delivery_tag)
            if len(seen) == most:
                break
        connection.close()
        return seen

    def test_a_delivery_that_is_kept_costs_the_channel(self):
        with Cluster(1, conf="consumer_timeout = 2000\n").start_all() as cluster:
            connection = connect(cluster[1].port)
            channel = connection.channel()
            channel.queue_declare("kept")
            channel.basic_publish("", "kept", b"x")
            until = time.monotonic() + 20 * SLOWNESS
            with self.assertRaises(pika.exceptions.ChannelClosedByBroker) as raised:
                for _ in channel.consume("kept", inactivity_timeout=0.2):
                    self.assertLess(time.monotonic(), until)
            self.assertEqual((raised.exception.reply_code, raised.exception.reply_text), (
                406, "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. "
                "Timeout value used: 2000 ms. This timeout value can be configured, see consumers "
                "doc guide to learn more"))
            again = connection.channel().basic_get("kept", auto_ack=True)
            self.assertTrue(again[0].redelivered)
            connection.close()


if __name__ == "__main__":
    unittest.main()
