"""Two nodes on one machine: status forms, stop and restart, restart order, force_boot, leaving a
cluster, and ram nodes, as the operator's document shows them."""

import os
import signal
import time
import unittest

from amqp import PERSISTENT, connect, drain
from harness import HOST, Cluster, is_alive, wait_until

NODE1, NODE2, NODE3 = (f"node{i}@{HOST}" for i in (1, 2, 3))


def term(*nodes):
    """Names as an Erlang term of status lists them."""
    def atom(name):
        local, host = name.split("@")
        plain = (local + host).replace("_", "").isalnum()
        return name if plain else f"'{name}'"
    return ",".join(atom(node) for node in nodes)


def pair(**options):
    return Cluster(2, prefix="node", **options)


def squeezed(text):
    return "".join(text.split())


class Status(unittest.TestCase):
    def test_status_before_and_after_joining(self):
        with pair().start_all() as cluster:
            first, second = cluster.nodes
            self.check_term(first, disc=[NODE1], running=[NODE1], name=NODE1)
            self.check_term(second, disc=[NODE2], running=[NODE2], name=NODE2)
            second.must("stop_app")
            self.assertEqual(second.must("join_cluster", f"node1@{HOST}"),
                             f"Clustering node {NODE2} with {NODE1}\n")
            second.must("start_app")
            cluster.await_all()
            self.check_term(first, disc=[NODE1, NODE2], running=[NODE1, NODE2])
            self.check_term(second, disc=[NODE1, NODE2], running=[NODE1, NODE2])
            self.check_table(second)
            self.check_json(second)

    def check_term(self, node, disc, running, name=None):
        out = node.must("cluster_status", "--formatter", "erlang")
        self.assertEqual(out.splitlines()[0], f"Cluster status of node {node.full_name} ...")
        text = squeezed(out.split("\n", 1)[1])
        self.assertTrue(text.startswith("[{nodes,[{disc,["), out)
        self.assertIn(squeezed(f"{{nodes,[{{disc,[{term(*disc)}]}}]}}"), text)
        orders = [f"{{running_nodes,[{term(*order)}]}}" for order in (running, running[::-1])]
        self.assertTrue(any(order in text for order in orders), out)
        self.assertIn("{partitions,[]}", text)
        self.assertIn("{cluster_name,<<\"" + (name or "node"), text)
        for one in running:
            self.assertIn(f"{{{term(one)},[]}}", text[text.index("{alarms,"):])

    def check_table(self, node):
        lines = node.must("cluster_status").splitlines()
        self.assertEqual(lines[0], f"Cluster status of node {node.full_name} ...")
        self.assertEqual(lines[1], "\x1b[1mBasics\x1b[0m")
        for title in "Disk Nodes", "Running Nodes":
            at = lines.index(f"\x1b[1m{title}\x1b[0m")
            self.assertEqual(lines[at + 2:at + 5], [NODE1, NODE2, ""])
        at = lines.index("\x1b[1mNetwork Partitions\x1b[0m")
        self.assertEqual(lines[at + 2], "(none)")
        self.assertIn(f"Node: {NODE1}, status: not under maintenance", lines)
        quiet = node.must("-q", "cluster_status").splitlines()
        self.assertEqual(quiet, lines[1:])

    def check_json(self, node):
        status = node.json("cluster_status")
        self.assertEqual(sorted(status["disk_nodes"]), [NODE1, NODE2])
        self.assertEqual(sorted(status["running_nodes"]), [NODE1, NODE2])
        self.assertEqual((status["ram_nodes"], status["alarms"]), ([], []))
        self.assertEqual(status["partitions"], {})
        self.assertEqual(sorted(status["listeners"]), [NODE1, NODE2])
        ports = {(one["protocol"], one["port"]) for one in status["listeners"][node.full_name]}
        self.assertEqual(ports, {("amqp", node.port), ("http", node.http_port),
                                 ("clustering", node.port + 20000)})
        self.assertEqual(status["versions"][NODE1]["rabbitmq_name"], "RabbitMQ")


class StopAndStart(unittest.TestCase):
    def test_the_other_node_goes_on_and_notices_the_return(self):
        with pair().start_all().join_all() as cluster:
            first, second = cluster.nodes
            pid = first.pid
            self.assertEqual(first.must("stop"), f"Stopping and halting node {NODE1} ...\n")
            wait_until(lambda: not is_alive(pid), 10, "the end of the process")
            self.assertEqual(second.running_nodes(), [NODE2])
            self.assertEqual(second.disk_nodes(), [NODE1, NODE2])
            second.must("add_vhost", "made-meanwhile")
            again = first.ctl("stop")
            self.assertEqual(again.code, 69, again)
            self.assertIn("DIAGNOSTICS", again.err)
            first.start()
            cluster.await_all()
            self.assertIn("made-meanwhile", first.must("list_vhosts").splitlines())

    def test_the_last_to_stop_starts_at_once_and_the_other_waits_for_it(self):
        with pair().start_all().join_all() as cluster:
            first, second = cluster.nodes
            first.stop()
            second.must("add_vhost", "made-last")
            second.stop()
            first.launch()
            wait_until(lambda: self.is_up(first), 10, "the node answering")
            waiting = first.ctl("cluster_status")
            self.assertEqual(waiting.code, 64, waiting)
            self.assertEqual(first.ctl("await_startup", "--timeout", "1").code, 75)
            began = time.monotonic()
            second.start()
            print(f"  the last to stop was up after {time.monotonic() - began:.2f} s")
            first.await_running()
            cluster.await_all()
            self.assertIn("made-last", first.must("list_vhosts").splitlines())

    def test_a_node_that_was_not_the_last_gives_up_and_names_the_others(self):
        with pair(conf="mnesia_table_loading_retry_timeout = 4000\n"
                       "mnesia_table_loading_retry_limit = 1\n").start_all().join_all() as cluster:
            first, second = cluster.nodes
            first.stop()
            second.stop()
            first.launch()
            pid = wait_until(lambda: first.pid, 10, "the pid file")
            wait_until(lambda: not is_alive(pid), 20, "giving up")
            self.assertIn(NODE2, first.log().splitlines()[-1] + first.log()[-2000:])
            unreachable = first.ctl("cluster_status")
            self.assertEqual(unreachable.code, 69, unreachable)
            self.force_boot(cluster)

    def is_up(self, node):
        return self.ping(node).code == 0

    def ping(self, node):
        return node.ctl("ping")

    def force_boot(self, cluster):
        first, second = cluster.nodes
        forced = first.ctl("force_boot", env=first.environment())
        self.assertEqual(forced.code, 0, forced)
        first.start()
        self.assertEqual(first.running_nodes(), [NODE1])
        self.assertEqual(first.disk_nodes(), [NODE1, NODE2])
        refused = first.ctl("force_boot")
        self.assertEqual(refused.code, 64, refused)
        removed = first.ctl("forget_cluster_node", NODE2)
        self.assertEqual((removed.code, removed.out),
                         (0, f"Removing node {NODE2} from the cluster\n"), removed)
        self.assertEqual(first.disk_nodes(), [NODE1])

    def test_the_default_wait_is_thirty_seconds(self):
        with pair().start_all().join_all() as cluster:
            first, second = cluster.nodes
            first.stop()
            second.stop()
            began = time.monotonic()
            first.launch()
            pid = wait_until(lambda: first.pid, 10, "the pid file")
            wait_until(lambda: not is_alive(pid), 45, "giving up")
            self.assertGreater(time.monotonic() - began, 28)
            self.assertIn(NODE2, first.log()[-2000:])

    def test_all_killed_at_once_come_back_in_any_order(self):
        with pair().start_all().join_all() as cluster:
            cluster[2].must("add_vhost", "survives")
            cluster.kill(cluster.nodes)
            for node in cluster.nodes:
                self.assertEqual(node.launch().code, 0)
            for node in cluster.nodes:
                node.await_running()
            cluster.await_all()
            for node in cluster.nodes:
                self.assertIn("survives", node.must("list_vhosts").splitlines())

    def test_sigterm_stops_in_an_orderly_way(self):
        with pair().start_all().join_all() as cluster:
            first, second = cluster.nodes
            pid = second.pid
            os.kill(pid, signal.SIGTERM)
            wait_until(lambda: not is_alive(pid), 10, "the end of the process")
            wait_until(lambda: first.running_nodes() == [NODE1], 5, "its absence seen")
            first.must("add_vhost", "alone")


class Leaving(unittest.TestCase):
    def test_reset_leaves_the_cluster_and_empties_the_node(self):
        with pair().start_all().join_all() as cluster:
            first, second = cluster.nodes
            first.must("add_vhost", "shared")
            refused = second.ctl("reset")
            self.assertEqual(refused.code, 64, refused)
            second.must("stop_app")
            self.assertEqual(second.must("reset"), f"Resetting node {NODE2} ...\n")
            self.assertEqual((first.disk_nodes(), first.running_nodes()), ([NODE1], [NODE1]))
            second.must("start_app")
            self.assertEqual(second.disk_nodes(), [NODE2])
            self.assertNotIn("shared", second.must("list_vhosts").splitlines())
            self.assertIn("shared", first.must("list_vhosts").splitlines())

    def test_a_forgotten_node_does_not_start_until_it_is_reset(self):
        with pair().start_all().join_all() as cluster:
            first, second = cluster.nodes
            running = second.ctl("forget_cluster_node", f"node1@{HOST}")
            self.assertEqual(running.code, 69, running)
            self.assertIn(f"RabbitMQ on node {NODE1} must be stopped", running.err)
            unknown = second.ctl("forget_cluster_node", f"nosuch@{HOST}")
            self.assertEqual(unknown.code, 69, unknown)
            first.must("stop_app")
            self.assertEqual(second.must("forget_cluster_node", NODE1),
                             f"Removing node {NODE1} from the cluster\n")
            self.assertEqual(second.disk_nodes(), [NODE2])
            refused = first.ctl("start_app")
            self.assertNotEqual(refused.code, 0, refused)
            self.assertIn(NODE2, refused.err)
            self.assertEqual(first.must("reset"), f"Resetting node {NODE1} ...\n")
            first.must("start_app")
            self.assertEqual((first.disk_nodes(), first.running_nodes()), ([NODE1], [NODE1]))

    def test_a_node_that_was_forgotten_while_it_was_down_ends_with_the_reason(self):
        with pair().start_all().join_all() as cluster:
            first, second = cluster.nodes
            first.stop()
            second.must("forget_cluster_node", NODE1)
            first.launch()
            pid = wait_until(lambda: first.pid, 10, "the pid file")
            wait_until(lambda: not is_alive(pid), 20, "its end")
            self.assertIn(NODE2, first.log()[-3000:])
            self.assertEqual(second.disk_nodes(), [NODE2])

    def test_force_reset_works_without_the_others(self):
        with pair().start_all().join_all() as cluster:
            first, second = cluster.nodes
            second.must("stop_app")
            first.stop()
            self.assertEqual(second.must("force_reset"),
                             f"Forcefully resetting node {NODE2} ...\n")
            second.must("start_app")
            self.assertEqual(second.disk_nodes(), [NODE2])


class RamNodes(unittest.TestCase):
    def test_join_as_ram_and_change_both_ways(self):
        with Cluster(3, prefix="node").start_all() as cluster:
            first, second, third = cluster.nodes
            second.must("stop_app")
            self.assertEqual(second.must("join_cluster", "--ram", f"node1@{HOST}"),
                             f"Clustering node {NODE2} with {NODE1}\n")
            second.must("start_app")
            wait_until(lambda: first.running_nodes() == [NODE1, NODE2], 10, "both running")
            self.check_kinds(first, [NODE1], [NODE2])
            text = squeezed(first.must("-q", "cluster_status", "--formatter", "erlang"))
            self.assertIn(f"{{nodes,[{{disc,[{term(NODE1)}]}},{{ram,[{term(NODE2)}]}}]}}", text)
            first.must("add_vhost", "seen-by-ram")
            self.assertIn("seen-by-ram", second.must("list_vhosts").splitlines())
            self.change(second, "disc", first, [NODE1, NODE2], [])
            self.change(second, "ram", first, [NODE1], [NODE2])
            refused = second.ctl("change_cluster_node_type", "disc")
            self.assertEqual(refused.code, 64, refused)
            wrong = second.ctl("change_cluster_node_type", "foo")
            self.assertEqual(wrong.code, 65, wrong)
            self.restart_ram_node(cluster)

    def change(self, node, kind, other, disc, ram):
        node.must("stop_app")
        out = node.must("change_cluster_node_type", kind)
        self.assertEqual(out, f"Turning {node.full_name} into a {kind} node\n")
        node.must("start_app")
        wait_until(lambda: node.full_name in other.running_nodes(), 10, "it running again")
        self.check_kinds(other, disc, ram)

    def check_kinds(self, node, disc, ram):
        status = node.json("cluster_status")
        self.assertEqual((sorted(status["disk_nodes"]), sorted(status["ram_nodes"])), (disc, ram))

    def restart_ram_node(self, cluster):
        first, second, _ = cluster.nodes
        connection = connect(first.port)
        connection.channel().queue_declare("kept", durable=True)
        connection.channel().basic_publish("", "kept", b"x", PERSISTENT)
        connection.close()
        second.kill()
        wait_until(lambda: first.running_nodes() == [NODE1], 15, "its absence seen")
        second.start()
        wait_until(lambda: second.running_nodes() == [NODE1, NODE2], 15, "both running")
        self.assertIn("seen-by-ram", second.must("list_vhosts").splitlines())
        self.assertEqual([body for body, _ in drain(second.port, "kept")], ["x"])


if __name__ == "__main__":
    unittest.main()
