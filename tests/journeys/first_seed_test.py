"""Three nodes, a cluster, mirrored queues, HAProxy and a client: the user document from top to
bottom, each step's effect looked at on another node."""

import shutil
import subprocess
import unittest

from amqp import BROKEN, PERSISTENT, Consumer, connect
from harness import HOST, Cluster, is_alive, wait_until

QUEUE = "cluster_test"
QUEUE_PATH = f"/api/queues/%2F/{QUEUE}"


def bodies_over_http(node, count=10):
    status, messages = node.http(f"{QUEUE_PATH}/get", "POST", {
        "count": count, "ackmode": "ack_requeue_true", "encoding": "auto"})
    assert status == 200, (status, messages)
    return [message["payload"] for message in messages]


def at_last(connect_once):
    """Through a balancer that still sends clients to a node that is down, try after try."""
    def outcome():
        try:
            return connect_once()
        except (*BROKEN, AssertionError):
            return None
    return wait_until(outcome, 30, "a connection through HAProxy")


def publish(port, body):
    connection = at_last(lambda: connect(port))
    channel = connection.channel()
    channel.confirm_delivery()
    channel.basic_publish("", QUEUE, body, PERSISTENT, mandatory=True)
    connection.close()


class FirstSeed(unittest.TestCase):
    def test_the_document_from_installation_to_the_receiver(self):
        with Cluster(3, plugins=None) as cluster:
            for node in cluster.nodes:  # each copy of the distribution has files of its own
                node.variables = {
                    "RABBITMQ_ENABLED_PLUGINS_FILE": str(cluster.home / f"plugins-{node.name}")}
            self.start_nodes(cluster)
            self.join(cluster)
            self.mirror(cluster)
            cluster.start_haproxy(as_documented=True)
            self.send_first(cluster)
            self.stop_first_node(cluster)
            self.receive(cluster)
            self.bring_first_node_back(cluster)

    def start_nodes(self, cluster):
        for node in cluster.nodes:
            launched = node.launch()
            self.assertEqual((launched.code, launched.out), (0, ""), launched)
            if node is cluster[1]:  # the others are told at once, as one types the document
                node.await_running()
                with self.assertRaises(OSError):
                    node.http("/api/overview")
            enabled = node.plugins("enable", "rabbitmq_management")
            self.assertEqual(enabled.code, 0, enabled)
            self.assertIn(f"Enabling plugins on node {node.full_name}:\nrabbitmq_management\n",
                          enabled.out)
            self.assertIn("started 3 plugins.", enabled.out)
            self.assertEqual((cluster.home / f"plugins-{node.name}").read_text().split(),
                             ["[rabbitmq_management]."])
            self.assertEqual(node.must("start_app"), f"Starting node {node.full_name} ...\n")
            status, overview = node.http("/api/overview")
            self.assertEqual((status, overview["node"]), (200, node.full_name))
            self.assertEqual(overview["cluster_name"], node.full_name)

    def join(self, cluster):
        first, second, third = cluster.nodes
        # The document stops the nodes in the reverse order of their start.
        for node in third, second:
            self.assertEqual(node.must("stop_app"),
                             f"Stopping rabbit application on node {node.full_name} ...\n")
            self.assertTrue(is_alive(node.pid))
            with self.assertRaises(OSError):
                node.http("/api/overview")
        for node in second, third:
            self.assertEqual(node.must("join_cluster", f"rabbit1@{HOST}"),
                             f"Clustering node {node.full_name} with {first.full_name}\n")
        for node in second, third:
            self.assertEqual(node.must("start_app"), f"Starting node {node.full_name} ...\n")
        everybody = [node.full_name for node in cluster.nodes]
        for node in cluster.nodes:
            wait_until(lambda n=node: n.running_nodes() == everybody, 10, "all running")
            self.assertEqual(node.disk_nodes(), everybody)
            status, nodes = node.http("/api/nodes")
            self.assertEqual(status, 200)
            self.assertEqual({n["name"]: (n["type"], n["running"]) for n in nodes},
                             dict.fromkeys(everybody, ("disc", True)))

    def mirror(self, cluster):
        first, second, third = cluster.nodes
        out = first.must("set_policy", "act-policy", "^cluster", '{"ha-mode":"all"}')
        self.assertEqual(out, 'Setting policy "act-policy" for pattern "^cluster" to '
                              '"{"ha-mode":"all"}" with priority "0" for vhost "/" ...\n')
        self.assertEqual(third.must("list_policies").splitlines()[1:], [
            "vhost\tname\tpattern\tapply-to\tdefinition\tpriority",
            '/\tact-policy\t^cluster\tall\t{"ha-mode":"all"}\t0'])
        created, _ = first.http(QUEUE_PATH, "PUT", {"durable": True})
        self.assertEqual(created, 201)
        wait_until(lambda: second.http(QUEUE_PATH)[0] == 200, 2, "the queue seen by node 2")

    def await_queue(self, eyes, **expected):
        """Until the HTTP API shows the queue so; lists of nodes are compared in any order."""
        def seen():
            status, queue = eyes.http(QUEUE_PATH)
            found = {key: sorted(value) if isinstance(value := queue.get(key), list) else value
                     for key in expected} if status == 200 else status
            seen.last = found
            return found == expected
        try:
            wait_until(seen, 15, "the queue")
        except AssertionError as error:
            raise AssertionError(f"{eyes.name} shows {seen.last}, not {expected}") from error

    def send_first(self, cluster):
        first, second, third = (node.full_name for node in cluster.nodes)
        publish(cluster.proxy_port, b"test")
        for node in cluster.nodes:
            self.await_queue(node, name=QUEUE, vhost="/", durable=True, node=first,
                             messages=1, messages_ready=1, messages_unacknowledged=0,
                             slave_nodes=[second, third],
                             synchronised_slave_nodes=[second, third],
                             policy="act-policy", state="running")
            self.assertEqual(bodies_over_http(node), ["test"])

    def stop_first_node(self, cluster):
        first, second, third = cluster.nodes
        first.must("stop_app")
        for node in second, third:
            self.await_queue(node, messages=1, messages_ready=1, state="running",
                             policy="act-policy")
            self.assertEqual(bodies_over_http(node), ["test"])
            self.assertEqual(node.running_nodes(), [second.full_name, third.full_name])
            self.assertEqual(node.disk_nodes(), [n.full_name for n in cluster.nodes])
        with self.assertRaises(OSError):
            first.http("/api/overview")
        publish(cluster.proxy_port, b"test2")
        for node in second, third:
            self.assertEqual(bodies_over_http(node), ["test", "test2"])

    def receive(self, cluster):
        consumer = at_last(lambda: Consumer(cluster.proxy_port, QUEUE).start())
        wait_until(lambda: len(consumer.seen) == 2, 10, "two messages")
        self.assertEqual(consumer.bodies(), ["test", "test2"])
        publish(cluster.proxy_port, b"test3")
        wait_until(lambda: len(consumer.seen) == 3, 10, "the message sent afterwards")
        consumer.stop()
        self.await_queue(cluster[2], messages=0, messages_unacknowledged=0)

    def bring_first_node_back(self, cluster):
        cluster[1].must("start_app")
        cluster.await_all()
        status, queue = cluster[2].http(QUEUE_PATH)
        others = sorted({n.full_name for n in cluster.nodes} - {queue["node"]})
        self.assertEqual(status, 200)
        self.assertNotEqual(queue["node"], cluster[1].full_name, "leadership moved back")
        self.await_queue(cluster[1], slave_nodes=others, synchronised_slave_nodes=others)

    def test_containers_share_a_cookie_by_a_variable(self):
        with Cluster(2) as cluster:
            first, second = cluster.nodes
            for node in cluster.nodes:  # a container's home is its own, and empty
                home = cluster.home / f"home-{node.name}"
                home.mkdir()
                node.variables = {"HOME": str(home), "RABBITMQ_ERLANG_COOKIE": "test"}
            cluster.environment["RABBITMQ_ERLANG_COOKIE"] = "test"
            cluster.start_all().join_all()
            self.assertEqual(second.running_nodes(), [first.full_name, second.full_name])
            stranger = cluster.environment | {"RABBITMQ_ERLANG_COOKIE": "other"}
            refused = first.ctl("cluster_status", env=stranger)
            self.assertEqual(refused.code, 69, refused)

    def test_epmd_of_erlang_lists_the_nodes(self):
        epmd = shutil.which("epmd")
        if not epmd:
            self.skipTest("epmd of erlang-base is not installed")
        with Cluster(2).start_all() as cluster:
            def names():
                return subprocess.run([epmd, "-names"], env=cluster.environment, text=True,
                                      capture_output=True, check=False).stdout.splitlines()
            self.assertEqual(sorted(names()[1:]), [
                f"name {node.name} at port {node.port + 20000}" for node in cluster.nodes])
            self.assertIn("up and running on port", names()[0])
            cluster[1].stop()
            self.assertEqual(names()[1:], [f"name rabbit2 at port {cluster[2].port + 20000}"])
            cluster[2].kill()
            wait_until(lambda: names()[1:] == [], 5, "the killed node leaving the list")


if __name__ == "__main__":
    unittest.main()
