"""Mirrored queues while their nodes stop, die and come back, under publishers and consumers that go
on through the nodes that stay."""

import random
import unittest

from amqp import BROKEN, Consumer, Stream, connect, drain, fill
from harness import Cluster, wait_until

QUEUE = "cluster_q"


def declare(node, name=QUEUE):
    connection = connect(node.port)
    connection.channel().queue_declare(name, durable=True)
    connection.close()


def mirrored(nodes=3):
    cluster = Cluster(nodes)
    try:
        cluster.start_all().join_all().mirror()
        declare(cluster[1])
        await_in_sync(cluster[1], nodes - 1)
        return cluster
    except BaseException as error:
        cluster.__exit__(type(error), error, None)
        raise


def row(node, name=QUEUE):
    return node.queues("pid", "slave_pids", "synchronised_slave_pids", "messages",
                       "messages_ready", "messages_unacknowledged", "state").get(name)


def await_in_sync(node, mirrors, name=QUEUE, seconds=30):
    def is_in_sync():
        queue = row(node, name)
        return queue and len(queue["slave_pids"]) == mirrors == \
            len(queue["synchronised_slave_pids"])
    wait_until(is_in_sync, seconds, f"{mirrors} mirrors in sync in the eyes of {node.name}")


def leader_of(cluster, eyes, name=QUEUE):
    _, queue = eyes.http(f"/api/queues/%2F/{name}")
    return next(node for node in cluster.nodes if node.full_name == queue["node"])


def new_leader(cluster, eyes, old):
    wait_until(lambda: leader_of(cluster, eyes) is not old and row(eyes)["state"] == "running",
               15, "another leader")


WAYS = {
    "stop_app": (lambda node: node.must("stop_app"), lambda node: node.must("start_app")),
    "stop": (lambda node: node.stop(), lambda node: node.start()),
    "kill": (lambda node: node.kill(), lambda node: node.start()),
}


class LeaderGoes(unittest.TestCase):
    def test_clients_of_other_nodes_go_on(self):
        with mirrored() as cluster:
            for way, (leave, come_back) in WAYS.items():
                with self.subTest(way):
                    self.leader_leaves(cluster, leave, come_back)

    def leader_leaves(self, cluster, leave, come_back):
        leader = leader_of(cluster, cluster[1])
        one, other = (node for node in cluster.nodes if node is not leader)
        stream = Stream(one.port, QUEUE)
        stream.start()
        consumer = Consumer(other.port, QUEUE).start()
        wait_until(lambda: len(consumer.seen) > 300, 20, "messages flowing")
        leave(leader)
        at_loss = len(stream.confirmed)
        wait_until(lambda: len(stream.confirmed) > at_loss + 500, 20, "confirms going on")
        new_leader(cluster, one, leader)
        stream.stop()
        self.assertIsNone(stream.error, repr(stream.error))
        self.assertEqual((stream.nacked, stream.unconfirmed), (set(), {}))
        wait_until(lambda: set(map(int, consumer.bodies())) >= stream.confirmed, 20,
                   "every confirmed message consumed")
        consumer.stop()
        self.assertIsNone(consumer.error, repr(consumer.error))
        self.assertFalse(consumer.cancelled)
        self.check_order(consumer)
        print(f"  longest confirm {stream.longest:.2f} s")
        wait_until(lambda: row(one)["messages"] == 0, 10, "an empty queue")
        come_back(leader)
        cluster.await_all()
        await_in_sync(one, 2)

    def check_order(self, consumer):
        fresh = [int(body) for body, redelivered in consumer.seen if not redelivered]
        self.assertEqual(fresh, sorted(set(fresh)), "out of order or twice without a redelivery")

    def test_unacknowledged_messages_come_back_redelivered(self):
        with mirrored() as cluster:
            fill(cluster[1].port, QUEUE, 10)
            leader = leader_of(cluster, cluster[1])
            other = next(node for node in cluster.nodes if node is not leader)
            holder = Consumer(other.port, QUEUE, prefetch=4, ack=False).start()
            wait_until(lambda: len(holder.seen) == 4, 10, "four deliveries")
            self.assertEqual(row(other)["messages_unacknowledged"], 4)
            leader.kill()
            wait_until(lambda: len(holder.seen) == 8, 15, "their delivery anew")
            self.assertEqual([int(body) for body in holder.bodies()[4:]], [0, 1, 2, 3])
            self.assertTrue(all(redelivered for _, redelivered in holder.seen[4:]))
            holder.stop()
            wait_until(lambda: row(other)["messages_ready"] == 10, 10, "all ready again")
            self.assertEqual([int(body) for body, _ in drain(other.port, QUEUE)],
                             list(range(10)))

    def test_a_consumer_may_ask_to_be_cancelled(self):
        with mirrored() as cluster:
            leader = leader_of(cluster, cluster[1])
            one, other = (node for node in cluster.nodes if node is not leader)
            asked = Consumer(one.port, QUEUE,
                             arguments={"x-cancel-on-ha-failover": True}).start()
            plain = Consumer(other.port, QUEUE).start()
            leader.kill()
            wait_until(lambda: asked.cancelled, 15, "basic.cancel")
            fill(one.port, QUEUE, 3)
            wait_until(lambda: len(plain.seen) == 3, 10, "delivery to the other consumer")
            self.assertFalse(plain.cancelled)
            self.assertIsNone(asked.error)
            asked.stop()
            plain.stop()

    def test_outstanding_confirms_arrive_while_nodes_come_and_go(self):
        with mirrored() as cluster:
            stream = Stream(cluster[2].port, QUEUE, window=1000)
            stream.start()
            for victim in cluster[1], cluster[3], cluster[1]:
                before = len(stream.confirmed)
                wait_until(lambda b=before: len(stream.confirmed) > b + 300, 20, "confirms")
                victim.kill()
                victim.start()
                await_in_sync(cluster[2], 2)
            stream.stop()
            self.assertIsNone(stream.error, repr(stream.error))
            self.assertEqual((stream.nacked, stream.unconfirmed), (set(), {}))
            found = [int(body) for body, _ in drain(cluster[3].port, QUEUE)]
            self.assertEqual(found, sorted(stream.confirmed), "lost, twice or out of order")


class PolicyOnABusyQueue(unittest.TestCase):
    def test_twenty_thousand_messages_are_mirrored_while_clients_go_on(self):
        with Cluster(3).start_all().join_all() as cluster:
            declare(cluster[1])
            fill(cluster[1].port, QUEUE, 20000, size=100)
            self.assertEqual(row(cluster[2])["slave_pids"], "")
            stream = Stream(cluster[2].port, QUEUE, first=20000, window=50)
            consumer = Consumer(cluster[3].port, QUEUE, prefetch=50).start()
            stream.start()
            wait_until(lambda: len(stream.confirmed) > 50 < len(consumer.seen), 10, "traffic")
            cluster.mirror()
            await_in_sync(cluster[3], 2)
            before = len(stream.confirmed), len(consumer.seen)
            wait_until(lambda: len(stream.confirmed) > before[0] + 100 and
                       len(consumer.seen) > before[1] + 100, 10, "traffic going on")
            stream.stop()
            consumer.stop()
            self.assertIsNone(stream.error, repr(stream.error))
            self.assertIsNone(consumer.error, repr(consumer.error))
            print(f"  longest confirm {stream.longest:.2f} s")
            cluster[1].kill()
            new_leader(cluster, cluster[2], cluster[1])
            left = [int(body) for body, _ in drain(cluster[3].port, QUEUE)]
            self.assertEqual(left, sorted(set(left)))
            everything = set(map(int, consumer.bodies())) | set(left)
            self.assertEqual(everything, set(range(20000)) | stream.confirmed)

    def test_clearing_the_policy_leaves_one_copy(self):
        with mirrored() as cluster:
            fill(cluster[1].port, QUEUE, 100)
            cluster[3].must("clear_policy", "act-policy")
            wait_until(lambda: row(cluster[2])["slave_pids"] == "", 10, "no mirrors")
            cluster[1].must("set_policy", "two", "^cluster", '{"ha-mode":"exactly","ha-params":2}')
            await_in_sync(cluster[2], 1)
            self.assertEqual(len(drain(cluster[3].port, QUEUE)), 100)


class TwoNodes(unittest.TestCase):
    def test_either_node_may_go_by_any_way(self):
        with mirrored(2) as cluster:
            sent = 0
            for way, (leave, come_back) in WAYS.items():
                for gone, stays in (cluster.nodes, cluster.nodes[::-1]):
                    with self.subTest(way, gone=gone.name):
                        leave(gone)
                        wait_until(lambda s=stays: s.running_nodes() == [s.full_name], 15,
                                   "its absence seen")
                        stays.must("add_vhost", f"made-{sent}")
                        fill(stays.port, QUEUE, 10, first=sent)
                        sent += 10
                        come_back(gone)
                        cluster.await_all()
                        await_in_sync(stays, 1)
                        self.assertIn(f"made-{sent - 10}", gone.must("list_vhosts").split())
            found = [int(body) for body, _ in drain(cluster[1].port, QUEUE)]
            self.assertEqual(found, list(range(sent)))


class Durability(unittest.TestCase):
    def test_one_two_or_all_killed_in_the_middle_of_a_confirmed_stream(self):
        with mirrored() as cluster:
            for number in 1, 2, 3, 3:
                with self.subTest(killed=number):
                    self.kill_some(cluster, number)

    def kill_some(self, cluster, number):
        fill(cluster[1].port, QUEUE, 200)
        consumer = Consumer(cluster[2].port, QUEUE).start()
        wait_until(lambda: len(consumer.seen) == 200, 20, "200 messages consumed")
        consumer.stop()
        wait_until(lambda: row(cluster[1])["messages"] == 0, 10, "all settled")
        streams = [Stream(node.port, QUEUE, first=1000000 * i, window=500)
                   for i, node in enumerate(cluster.nodes, 1)]
        for stream in streams:
            stream.start()
        wait_until(lambda: all(len(s.confirmed) > 300 for s in streams), 30, "confirms")
        victims = random.sample(cluster.nodes, number)
        cluster.kill(victims)
        # Two of three killed in one moment leave no majority: the third waits for one of them.
        if number == 1:
            at_kill = {s: len(s.confirmed) for s in streams}
            live = [s for s, node in zip(streams, cluster.nodes) if node not in victims]
            wait_until(lambda: all(len(s.confirmed) > at_kill[s] + 100 for s in live), 20,
                       "confirms going on through the nodes that stay")
        for victim in random.sample(victims, number):
            launched = victim.launch()
            self.assertEqual(launched.code, 0, launched)
        for stream, node in zip(streams, cluster.nodes):
            if node in victims:
                stream.join(30)
            else:
                stream.stop()
                self.assertIsNone(stream.error, repr(stream.error))
        for victim in victims:
            victim.await_running()
        cluster.await_all()
        self.check(cluster, streams)
        await_in_sync(cluster[1], 2)

    def check(self, cluster, streams):
        eyes = random.choice(cluster.nodes)
        wait_until(lambda: self.is_usable(eyes), 20, "the queue usable")
        found = [int(body) for body, _ in drain(eyes.port, QUEUE)]
        confirmed = set().union(*(s.confirmed for s in streams))
        self.assertEqual(confirmed - set(found), set(), "confirmed messages are lost")
        self.assertEqual([n for n in found if n < 1000000], [], "settled messages came back")
        for i, stream in enumerate(streams, 1):
            mine = [n for n in found if n // 1000000 == i]
            self.assertEqual(mine, sorted(set(mine)), "twice or out of order")
            self.assertLessEqual(set(mine), set(range(1000000 * i, stream.next)))

    def is_usable(self, node):
        try:
            connection = connect(node.port)
            connection.channel().queue_declare(QUEUE, passive=True)
            connection.close()
            return True
        except BROKEN:
            return False


if __name__ == "__main__":
    unittest.main()
