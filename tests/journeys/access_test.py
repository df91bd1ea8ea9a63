"""What holds for a whole cluster: alarms that stop publishers on every node, and limits that count
what users and vhosts have on all of them."""

import contextlib
import os
import signal
import threading
import unittest

import pika
import pika.exceptions
from amqp import BROKEN, connect, parameters
from harness import Cluster, wait_until


class Blocked:
    """A connection that publishes and notes whether it is blocked."""

    def __init__(self, port):
        self.is_blocked = False
        self.connection = pika.BlockingConnection(parameters(port))
        self.connection.add_on_connection_blocked_callback(lambda *_: self.note(True))
        self.connection.add_on_connection_unblocked_callback(lambda *_: self.note(False))
        self.channel = self.connection.channel()
        self.channel.queue_declare("q", durable=True)
        self.ends = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def note(self, is_blocked):
        self.is_blocked = is_blocked

    def run(self):
        with contextlib.suppress(*BROKEN):  # of the node that is killed
            while not self.ends:
                if not self.is_blocked:
                    self.channel.basic_publish("", "q", b"x")
                self.connection.process_data_events(0.05)

    def close(self):
        self.ends = True
        self.thread.join(10)
        self.connection.close()

    def await_state(self, is_blocked):
        wait_until(lambda: self.is_blocked == is_blocked, 15,
                   "a publisher that is blocked" if is_blocked else "a publisher that goes on")


class Alarms(unittest.TestCase):
    def test_an_alarm_blocks_publishers_on_every_node(self):
        with Cluster(2) as cluster:
            cluster.start_all().join_all()
            first, second = cluster.nodes
            publishers = [Blocked(node.port) for node in cluster.nodes]
            first.must("set_vm_memory_high_watermark", "absolute", "1MB")
            for publisher in publishers:
                publisher.await_state(True)
            for node in cluster.nodes:
                out = node.must("cluster_status")
                self.assertIn(f"Memory alarm on node {first.full_name}", out)
                self.assertIn(f"Memory alarm on node {first.full_name}", node.must("status"))
                self.assertEqual(1, node.log().count(
                    f"memory resource limit alarm set on node '{first.full_name}'"))
            # One more reason changes nothing until all are gone.
            second.must("set_disk_free_limit", "999999GB")
            first.must("set_vm_memory_high_watermark", "0.9")
            self.assertIn(f"Free disk space alarm on node {second.full_name}",
                          first.must("cluster_status"))
            self.assertTrue(all(publisher.is_blocked for publisher in publishers))
            second.must("set_disk_free_limit", "1MB")
            for publisher in publishers:
                publisher.await_state(False)
            # A node that goes takes its alarm along.
            second.must("set_disk_free_limit", "999999GB")
            publishers[0].await_state(True)
            second.kill()
            publishers[0].await_state(False)
            publishers[0].close()
            second.start()
            # And one that comes back is told of those that are on.
            first.must("set_vm_memory_high_watermark", "absolute", "1MB")
            second.must("stop_app")
            second.must("start_app")
            self.assertIn("Memory alarm", second.must("status"))
            late = Blocked(second.port)
            late.await_state(True)
            first.must("set_vm_memory_high_watermark", "0.9")
            late.await_state(False)
            late.close()


class Limits(unittest.TestCase):
    def refusal(self, port, **options):
        try:
            connect(port, **options).close()
        except BROKEN as error:
            return repr(error)
        return ""

    def test_limits_count_what_is_on_all_nodes(self):
        with Cluster(2) as cluster:
            cluster.start_all().join_all()
            first, second = cluster.nodes
            first.must("add_user", "u", "u")
            first.must("set_permissions", "u", ".*", ".*", ".*")
            user = {"user": "u", "password": "u"}
            # The limit comes when the first connection is there already.
            held = connect(first.port, **user)
            second.must("set_user_limits", "u", '{"max-connections":2,"max-channels":2}')
            also = connect(second.port, **user)
            for node in cluster.nodes:
                wait_until(lambda n=node: "user connection limit (2) is reached" in
                           self.refusal(n.port, **user), 10, "a user who is refused everywhere")
            held.channel()
            held.channel()
            def channel_is_refused():
                try:
                    also.channel()
                    return False
                except pika.exceptions.ConnectionClosed as error:
                    return "user limit of (2)" in repr(error)
            wait_until(channel_is_refused, 10, "a channel that is refused")
            wait_until(lambda: self.refusal(first.port, **user) == "", 10, "room for one")
            held.close()
            second.must("set_vhost_limits", '{"max-connections":0}')
            wait_until(lambda: "connection limit (0) is reached" in self.refusal(first.port), 10,
                       "a vhost that is closed on every node")
            first.must("clear_vhost_limits")
            self.assertEqual("", self.refusal(second.port))

    def test_what_a_dead_node_had_counts_no_more(self):
        with Cluster(2) as cluster:
            cluster.start_all().join_all()
            first, second = cluster.nodes
            first.must("set_vhost_limits", '{"max-connections":1}')
            held = connect(second.port)
            wait_until(lambda: "is reached" in self.refusal(first.port), 10, "a full vhost")
            second.kill()
            wait_until(lambda: self.refusal(first.port) == "", 20, "room in the vhost")
            with contextlib.suppress(*BROKEN):
                held.close()

    def test_clients_go_with_their_user_on_every_node(self):
        with Cluster(2) as cluster:
            cluster.start_all().join_all()
            first, second = cluster.nodes
            first.must("add_user", "u", "u")
            first.must("set_permissions", "u", ".*", ".*", ".*")
            client = connect(second.port, user="u", password="u")
            first.must("delete_user", "u")
            self.await_end_with_user(client)

    def await_end_with_user(self, client):
        def is_gone():
            try:
                client.process_data_events(0.1)
                return False
            except pika.exceptions.ConnectionClosed as error:
                return "user 'u' is deleted" in repr(error)
        wait_until(is_gone, 30, "the end of a client whose user is gone")

    def test_clients_go_with_a_user_who_was_deleted_while_their_node_stood_still(self):
        with Cluster(3) as cluster:
            cluster.start_all().join_all()
            first, third = cluster[1], cluster[3]
            first.must("add_user", "u", "u")
            first.must("set_permissions", "u", ".*", ".*", ".*")
            client = connect(third.port, user="u", password="u")
            os.kill(third.pid, signal.SIGSTOP)
            # So many changes that the node is given the catalog as a whole: some are on their way to
            # it one by one, and what comes long after them is dropped before it can be.
            with connect(first.port) as connection:
                channel = connection.channel()
                for number in range(150):
                    channel.exchange_declare(f"x{number}", arguments={"note": "x" * 50_000})
                    if number == 50:
                        first.must("delete_user", "u")
            os.kill(third.pid, signal.SIGCONT)
            self.await_end_with_user(client)


class FirstUser(unittest.TestCase):
    def test_the_configuration_says_who_the_first_user_is_and_what_it_may_do(self):
        conf = ("default_user = ada\ndefault_pass = secret\n"
                "default_user_tags.monitoring = true\n"
                "default_permissions.configure = ^mine\n")
        with Cluster(1, conf=conf) as cluster:
            node = cluster[1].start()
            wait_until(lambda: node.json("list_users") ==
                       [{"user": "ada", "tags": ["monitoring"]}], 10, "the first user")
            wait_until(lambda: node.json("list_permissions") ==
                       [{"user": "ada", "configure": "^mine", "write": ".*", "read": ".*"}], 10,
                       "the first permissions")
