"""Ten times a random node is killed while a publisher and a consumer go on through HAProxy."""

import collections
import os
import random
import threading
import time
import unittest

import pika

from harness import SLOWNESS, Cluster, wait_until

QUEUE = "cluster_chaos"
ROUNDS = 10
LONGEST_CONFIRM = 5.0


def connect(port):
    return pika.BlockingConnection(pika.ConnectionParameters(
        "127.0.0.1", port, heartbeat=10, blocked_connection_timeout=30,
        connection_attempts=1, socket_timeout=5))


class Publisher(threading.Thread):
    """Publishes 1, 2, 3... one at a time and goes on to the next when one is confirmed. What was
    not confirmed is published again."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port = port
        self.stop = threading.Event()
        self.confirmed = 0
        self.attempts = collections.Counter()
        self.longest = 0.0
        self.error = None

    def run(self):
        waiting_since = None
        while not self.stop.is_set():
            try:
                connection = connect(self.port)
                channel = connection.channel()
                channel.confirm_delivery()
                while not self.stop.is_set():
                    number = self.confirmed + 1
                    waiting_since = waiting_since or time.monotonic()
                    self.attempts[number] += 1
                    channel.basic_publish("", QUEUE, str(number).encode(),
                                          pika.BasicProperties(delivery_mode=2), mandatory=True)
                    self.longest = max(self.longest, time.monotonic() - waiting_since)
                    waiting_since = None
                    self.confirmed = number
                connection.close()
            except (pika.exceptions.AMQPError, OSError):
                time.sleep(0.05)


class Consumer(threading.Thread):
    def __init__(self, port):
        super().__init__(daemon=True)
        self.port = port
        self.stop = threading.Event()
        self.seen = []  # (number, redelivered), in order of arrival

    def run(self):
        while not self.stop.is_set():
            try:
                connection = connect(self.port)
                channel = connection.channel()
                channel.basic_qos(prefetch_count=50)
                for method, _, body in channel.consume(QUEUE, inactivity_timeout=0.2):
                    if method is not None:
                        self.seen.append((int(body), method.redelivered))
                        channel.basic_ack(method.delivery_tag)
                    if self.stop.is_set():
                        break
                channel.cancel()
                connection.close()
            except (pika.exceptions.AMQPError, OSError):
                time.sleep(0.05)


class Chaos(unittest.TestCase):
    def test_nothing_confirmed_is_lost_while_random_nodes_are_killed(self):
        seed = int(os.environ.get("WARREN_SEED", random.randrange(1 << 30)))
        print(f"  WARREN_SEED={seed}")
        dice = random.Random(seed)
        with Cluster(3).start_all().join_all().mirror().start_haproxy() as cluster:
            setup = connect(cluster[1].port)
            setup.channel().queue_declare(QUEUE, durable=True)
            setup.close()
            publisher, consumer = Publisher(cluster.proxy_port), Consumer(cluster.proxy_port)
            publisher.start()
            consumer.start()
            for _ in range(ROUNDS):
                before = publisher.confirmed
                wait_until(lambda b=before: publisher.confirmed > b + 100, 20, "confirms going on")
                victim = dice.choice(cluster.nodes)
                victim.kill()
                at_kill = publisher.confirmed
                wait_until(lambda n=at_kill: publisher.confirmed > n + 20, 20,
                           f"confirms after the kill of {victim.name}")
                victim.start()
                others = next(n for n in cluster.nodes if n is not victim)
                wait_until(lambda o=others: len(o.running_nodes()) == 3, 20, "all nodes running")
                wait_until(lambda o=others: self.is_in_sync(o), 30, "all mirrors in sync")
            publisher.stop.set()
            publisher.join(30 * SLOWNESS)
            consumer.stop.set()
            consumer.join(30 * SLOWNESS)
            self.check(cluster, publisher, consumer)

    def is_in_sync(self, node):
        queue = node.queues("slave_pids", "synchronised_slave_pids").get(QUEUE)
        return queue and len(queue["slave_pids"]) == 2 == len(queue["synchronised_slave_pids"])

    def check(self, cluster, publisher, consumer):
        left = []
        connection = connect(cluster[2].port)
        channel = connection.channel()
        while True:
            method, _, body = channel.basic_get(QUEUE)
            if method is None:
                break
            left.append(int(body))
        connection.close()
        consumed = {number for number, _ in consumer.seen}
        lost = set(range(1, publisher.confirmed + 1)) - consumed - set(left)
        self.assertEqual(lost, set(), f"lost {len(lost)} of {publisher.confirmed} confirmed")
        never_published = (consumed | set(left)) - set(publisher.attempts)
        self.assertEqual(never_published, set())
        # Order: a message may come again when it was redelivered or published again.
        highest = 0
        for number, redelivered in consumer.seen:
            if not redelivered and publisher.attempts[number] == 1:
                self.assertGreater(number, highest, "out of order without a redelivery")
            highest = max(highest, number)
        print(f"  confirmed {publisher.confirmed}, consumed {len(consumed)}, "
              f"left {len(set(left))}, longest confirm {publisher.longest:.2f} s")
        self.assertLess(publisher.longest, LONGEST_CONFIRM * SLOWNESS)


if __name__ == "__main__":
    unittest.main()
