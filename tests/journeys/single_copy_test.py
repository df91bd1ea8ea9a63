"""Queues with one copy: what survives their node's restart, and what clients of the other nodes see
while it is away."""

import unittest

import pika
import pika.exceptions

from amqp import BROKEN, PERSISTENT, Consumer, connect, drain, fill
from harness import Cluster, wait_until


def declare(node, name, **options):
    connection = connect(node.port)
    connection.channel().queue_declare(name, **options)
    connection.close()


class Restart(unittest.TestCase):
    def test_what_is_durable_comes_back_after_stop_and_after_kill(self):
        with Cluster(1).start_all() as cluster:
            node = cluster[1]
            node.must("add_vhost", "kept")
            node.must("add_user", "dora", "pw")
            node.must("set_policy", "p", "^x", '{"max-length":5}')
            connection = connect(node.port)
            channel = connection.channel()
            channel.exchange_declare("kept.x", "direct", durable=True)
            channel.exchange_declare("gone.x", "direct")
            channel.queue_declare("kept.q", durable=True)
            channel.queue_declare("gone.q")
            channel.queue_bind("kept.q", "kept.x", "k")
            channel.basic_publish("kept.x", "k", b"transient")
            channel.confirm_delivery()
            channel.basic_publish("kept.x", "k", b"persistent", PERSISTENT)
            connection.close()
            for leave in node.stop, node.kill:
                leave()
                node.start()
                self.check(node)

    def check(self, node):
        self.assertEqual(list(node.queues()), ["kept.q"])
        exchanges = node.must("-q", "list_exchanges", "name")
        self.assertIn("kept.x", exchanges)
        self.assertNotIn("gone.x", exchanges)
        self.assertIn("dora", node.must("list_users"))
        self.assertIn("kept", node.must("list_vhosts"))
        self.assertIn("max-length", node.must("list_policies"))
        self.assertEqual([body for body, _ in drain(node.port, "kept.q")], ["persistent"])
        connection = connect(node.port)
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish("kept.x", "k", b"persistent", PERSISTENT, mandatory=True)
        connection.close()

    def test_a_large_backlog_comes_back_whole_and_in_order(self):
        with Cluster(1).start_all() as cluster:
            node = cluster[1]
            declare(node, "many", durable=True)
            fill(node.port, "many", 30000, size=1000)
            consumer = Consumer(node.port, "many").start()
            wait_until(lambda: len(consumer.seen) > 5000, 30, "some consumed")
            consumer.stop()
            wait_until(lambda: node.queues("messages_unacknowledged")["many"]
                       ["messages_unacknowledged"] == 0, 10, "nothing unacknowledged")
            first = 30000 - node.queues("messages")["many"]["messages"]
            node.stop()
            node.start()
            found = [int(body) for body, _ in drain(node.port, "many")]
            self.assertEqual(found, list(range(first, 30000)))


class HomeNodeAway(unittest.TestCase):
    def test_a_queue_whose_node_is_down_waits_for_it(self):
        with Cluster(3).start_all().join_all() as cluster:
            home, other, _ = cluster.nodes
            declare(home, "durable.q", durable=True)
            declare(home, "transient.q")
            fill(other.port, "durable.q", 5)
            home.kill()
            wait_until(lambda: home.full_name not in other.running_nodes(), 15, "it seen dead")
            self.assertEqual(other.queues("state")["durable.q"]["state"], "down")
            self.assertNotIn("transient.q", other.queues())
            connection = connect(other.port)
            for work in (lambda c: c.queue_declare("durable.q", durable=True),
                         lambda c: c.queue_declare("durable.q", passive=True),
                         lambda c: c.basic_get("durable.q"),
                         lambda c: c.basic_consume("durable.q", lambda *_: None)):
                with self.assertRaises(pika.exceptions.ChannelClosedByBroker) as raised:
                    work(connection.channel())
                self.assertEqual(
                    (raised.exception.reply_code, raised.exception.reply_text),
                    (404, f"NOT_FOUND - home node '{home.full_name}' of durable queue 'durable.q' "
                          "in vhost '/' is down or inaccessible"))
            connection.close()
            home.start()
            cluster.await_all()
            self.assertEqual([body for body, _ in drain(other.port, "durable.q")],
                             [str(n) for n in range(5)])

    def test_consumers_of_a_lost_queue_are_cancelled(self):
        with Cluster(2).start_all().join_all() as cluster:
            home, other = cluster.nodes
            declare(home, "away", durable=True)
            consumer = Consumer(other.port, "away").start()
            home.stop()
            wait_until(lambda: consumer.cancelled, 15, "basic.cancel")
            self.assertIsNone(consumer.error)
            consumer.stop()

    def test_exclusive_queues_go_with_their_connection_s_node(self):
        with Cluster(2).start_all().join_all() as cluster:
            home, other = cluster.nodes
            connection = connect(home.port)
            name = connection.channel().queue_declare("", exclusive=True).method.queue
            self.assertIn(name, other.queues())
            home.kill()
            wait_until(lambda: name not in other.queues(), 15, "the exclusive queue gone")
            with self.assertRaises(BROKEN):
                connection.channel()


if __name__ == "__main__":
    unittest.main()
