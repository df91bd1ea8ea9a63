"""The commands of rabbitmqctl and its sisters on a two-node cluster: what they print, how they
exit, and what the other node then shows."""

import contextlib
import json
import re
import unittest

import pika.exceptions
from amqp import BROKEN, PERSISTENT, connect, drain, fill
from harness import HOST, SLOWNESS, Cluster, wait_until

ONE, TWO = f"rabbit1@{HOST}", f"rabbit2@{HOST}"
NOT_REACHED = "Error: unable to perform an operation on node '{}'."


class OnACluster(unittest.TestCase):
    """One cluster for all the tests of a class; each cleans up what it made."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(2)
        cls.addClassCleanup(cls.cluster.__exit__, None, None, None)
        cls.cluster.start_all().join_all()
        cls.one, cls.two = cls.cluster.nodes

    def says(self, out, *arguments):
        """The command on node one succeeds and prints exactly this."""
        self.assertEqual(self.one.must(*arguments), out)

    def fails(self, code, pattern, *arguments, out=None):
        result = self.one.ctl(*arguments)
        self.assertEqual(result.code, code, result)
        self.assertRegex(result.err, pattern)
        if out is not None:
            self.assertEqual(result.out, out)
        return result

    def lines(self, *arguments):
        """What node two lists, without its first lines."""
        return self.two.must("-q", *arguments).splitlines()


class Users(OnACluster):
    def test_users_passwords_and_tags(self):
        self.says('Adding user "alice" ...\nDone. Don\'t forget to grant the user permissions to '
                  "some virtual hosts! See 'rabbitmqctl help set_permissions' to learn more.\n",
                  "add_user", "alice", "secret")
        self.assertIn("alice\t[]", self.lines("list_users"))
        self.fails(70, 'User "alice" already exists', "add_user", "alice", "secret",
                   out='Adding user "alice" ...\n')
        self.says('Setting tags for user "alice" to [administrator, monitoring] ...\n',
                  "set_user_tags", "alice", "administrator", "monitoring")
        self.assertEqual(self.lines("list_users"), [
            "user\ttags", "alice\t[administrator, monitoring]", "guest\t[administrator]"])
        self.assertIn({"user": "alice", "tags": ["administrator", "monitoring"]},
                      self.two.json("list_users"))
        self.assertEqual(self.two.http("/api/whoami", user="alice:secret")[0], 200)
        self.says('Changing password for user "alice" ...\n', "change_password", "alice", "new")
        self.assertEqual(self.two.http("/api/whoami", user="alice:secret")[0], 401)
        self.assertEqual(self.two.http("/api/whoami", user="alice:new")[0], 200)
        self.says('Deleting user "alice" ...\n', "delete_user", "alice")
        self.assertEqual(self.lines("list_users"), ["user\ttags", "guest\t[administrator]"])
        self.assertEqual(self.two.http("/api/whoami", user="alice:new")[0], 401)
        for arguments in (["delete_user", "alice"], ["set_user_tags", "alice", "x"],
                          ["change_password", "alice", "x"]):
            self.fails(67, 'User "alice" does not exist', *arguments)
        self.fails(65, "user cannot be an empty string", "add_user", "", "x")

    def test_permissions(self):
        self.one.must("add_user", "bob", "secret")
        self.says('Setting permissions for user "bob" in vhost "/" ...\n',
                  "set_permissions", "bob", "^bob", ".*", "")
        self.assertEqual(self.lines("list_permissions")[0], "user\tconfigure\twrite\tread")
        self.assertIn("bob\t^bob\t.*\t", self.lines("list_permissions"))
        connection = connect(self.two.port, user="bob", password="secret")
        connection.channel().queue_declare("bob.q")
        with self.assertRaises(BROKEN):
            connection.channel().queue_declare("other.q")
        connection.close()
        self.says('Clearing permissions for user "bob" in vhost "/" ...\n',
                  "clear_permissions", "bob")
        self.assertNotIn("bob", "".join(self.lines("list_permissions")))
        self.fails(67, "nosuch does not exist", "set_permissions", "nosuch", ".*", ".*", ".*")
        self.fails(69, "nosuch does not exist", "set_permissions", "-p", "nosuch", "bob",
                   ".*", ".*", ".*")
        self.fails(69, "invalid_regexp", "set_permissions", "bob", "[", ".*", ".*")
        self.fails(65, "Virtual host 'nosuch' does not exist", "list_permissions", "-p", "nosuch")
        self.one.must("delete_queue", "bob.q")
        self.one.must("delete_user", "bob")

    def test_vhosts(self):
        self.says('Adding vhost "v1" ...\n', "add_vhost", "v1")
        self.says('Adding vhost "v1" ...\n', "add_vhost", "v1")
        self.assertEqual(self.lines("list_vhosts"), ["name", "/", "v1"])
        self.one.must("set_permissions", "-p", "v1", "guest", ".*", ".*", ".*")
        connection = connect(self.two.port, vhost="v1")
        connection.channel().queue_declare("q", durable=True)
        self.assertEqual(self.lines("list_queues", "-p", "v1"), ["name\tmessages", "q\t0"])
        self.says('Deleting vhost "v1" ...\n', "delete_vhost", "v1")
        self.assertEqual(self.lines("list_vhosts"), ["name", "/"])
        with self.assertRaises(BROKEN):
            connect(self.two.port, vhost="v1")
        with contextlib.suppress(*BROKEN):
            connection.close()
        self.fails(65, "Virtual host 'v1' does not exist", "delete_vhost", "v1")


class Policies(OnACluster):
    def test_set_list_and_clear(self):
        self.says('Setting policy "ttl" for pattern "^ttl" to "{"message-ttl":60000,'
                  '"max-length":10}" with priority "5" for vhost "/" ...\n',
                  "set_policy", "--priority", "5", "--apply-to", "queues", "ttl", "^ttl",
                  '{"message-ttl":60000,"max-length":10}')
        self.assertEqual(self.lines("list_policies"), [
            "vhost\tname\tpattern\tapply-to\tdefinition\tpriority",
            '/\tttl\t^ttl\tqueues\t{"max-length":10,"message-ttl":60000}\t5'])
        self.assertEqual(self.two.json("list_policies"), [{
            "vhost": "/", "name": "ttl", "pattern": "^ttl", "apply-to": "queues",
            "definition": '{"max-length":10,"message-ttl":60000}', "priority": 5}])
        self.says('Clearing policy "ttl" on vhost "/" ...\n', "clear_policy", "ttl")
        self.assertEqual(self.two.must("list_policies"),
                         'Listing policies for vhost "/" ...\n\n')
        self.fails(69, "Parameter does not exist", "clear_policy", "ttl")

    def test_operators_policies(self):
        self.says('Setting operator policy override "o" for pattern "^cut" to "{"max-length":1}" '
                  'with priority "0" for vhost "/" ...\n',
                  "set_operator_policy", "o", "^cut", '{"max-length":1}')
        self.assertEqual(self.two.must("list_operator_policies"),
                         'Listing operator policy overrides for vhost "/" ...\n'
                         "vhost\tname\tpattern\tapply-to\tdefinition\tpriority\n"
                         '/\to\t^cut\tall\t{"max-length":1}\t0\n')
        self.fails(69, "are not recognised policy settings", "set_operator_policy", "bad", "^",
                   '{"overflow":"reject-publish"}')
        self.says('Clearing operator policy "o" on vhost "/" ...\n', "clear_operator_policy", "o")
        self.fails(69, "Parameter does not exist", "clear_operator_policy", "o")

    def test_wrong_definitions_change_nothing(self):
        for definition, text in (('{"ha-mode":"foo"}', '<<"foo">> is not a valid ha-mode value'),
                                 ('{"no-such":"foo"}', "are not recognised policy settings"),
                                 ("notjson", "JSON decoding error")):
            self.fails(69, re.escape(text), "set_policy", "bad", "^", definition)
        self.fails(69, "pattern should be regular expression", "set_policy", "bad", "[",
                   '{"ha-mode":"all"}')
        self.fails(64, "not enough arguments", "set_policy", "bad", "^")
        self.fails(64, "--priority : x", "set_policy", "bad", "^", "{}", "--priority", "x")
        self.fails(65, "Virtual host 'nosuch' does not exist", "set_policy", "-p", "nosuch", "ha",
                   "^", '{"ha-mode":"all"}')
        self.assertEqual(self.lines("list_policies"), [""])


class Listings(OnACluster):
    def setUp(self):
        self.connection = connect(self.one.port)
        self.channel = channel = self.connection.channel()
        channel.confirm_delivery()
        channel.basic_qos(prefetch_count=5)
        channel.queue_declare("l.q", durable=True)
        channel.exchange_declare("l.x", "topic", durable=True)
        channel.queue_bind("l.q", "l.x", "a.*.b")
        channel.basic_publish("", "l.q", b"12345", PERSISTENT)
        channel.basic_consume("l.q", lambda *_: None, consumer_tag="tag")

    def tearDown(self):
        with contextlib.suppress(*BROKEN):
            self.channel.queue_delete("l.q")
            self.channel.exchange_delete("l.x")
            self.connection.close()

    def test_queues(self):
        wait_until(lambda: self.two.queues("messages_unacknowledged")["l.q"]
                   ["messages_unacknowledged"] == 1, 10, "the delivery")
        self.assertEqual(self.two.must("list_queues").splitlines(), [
            "Timeout: 60.0 seconds ...", "Listing queues for vhost / ...", "name\tmessages",
            "l.q\t1"])
        self.assertEqual(self.two.must("list_queues", "-s", "name", "messages_ready", "durable",
                                       "consumers", "state"), "l.q\t0\ttrue\t1\trunning\n")
        pid = self.two.must("list_queues", "-s", "pid").strip()
        self.assertRegex(pid, rf"^<{re.escape(ONE)}\.\d+\.\d+\.\d+>$")
        self.assertEqual(self.two.must("list_queues", "--formatter", "csv"),
                         '"name","messages"\n"l.q","1"\n')
        self.assertEqual(self.two.must("-q", "list_queues", "--formatter", "json"),
                         '[\n{"name":"l.q","messages":1}\n]\n')
        self.assertIn('[[{name,<<"l.q">>},{messages,1}]]',
                      "".join(self.two.must("list_queues", "--formatter", "erlang").split()))
        self.assertEqual(self.one.must("-q", "list_queues", "-p", "nosuch"), "")
        self.fails(64, r"Info key\(s\) nosuchcol are not supported", "list_queues", "nosuchcol")

    def test_exchanges_and_bindings(self):
        exchanges = self.lines("list_exchanges")
        self.assertEqual(exchanges[0], "name\ttype")
        self.assertEqual(sorted(exchanges[1:]), sorted([
            "\tdirect", "amq.direct\tdirect", "amq.fanout\tfanout", "amq.headers\theaders",
            "amq.match\theaders", "amq.rabbitmq.trace\ttopic", "amq.topic\ttopic", "l.x\ttopic"]))
        bindings = self.lines("list_bindings")
        self.assertEqual(bindings[0], "source_name\tsource_kind\tdestination_name\t"
                                      "destination_kind\trouting_key\targuments")
        self.assertEqual(sorted(bindings[1:]), ["\texchange\tl.q\tqueue\tl.q\t[]",
                                                "l.x\texchange\tl.q\tqueue\ta.*.b\t[]"])

    def test_connections_channels_and_consumers(self):
        def table(*arguments):
            return wait_until(lambda: self.lines(*arguments), 10, "rows")
        self.assertRegex("\n".join(table("list_connections")),
                         r"^user\tpeer_host\tpeer_port\tstate\nguest\t127\.0\.0\.1\t\d+\trunning$")
        self.assertRegex("\n".join(table("list_channels")),
                         r"^pid\tuser\tconsumer_count\tmessages_unacknowledged\n"
                         r"<rabbit1@.*>\tguest\t1\t1$")
        self.assertRegex("\n".join(table("list_consumers")),
                         r"^queue_name\tchannel_pid\tconsumer_tag\tack_required\tprefetch_count\t"
                         r"active\targuments\nl\.q\t<rabbit1@.*>\ttag\ttrue\t5\ttrue\t\[\]$")
        wanted = ["number", "user", "vhost", "confirm", "transactional", "prefetch_count"]
        self.assertEqual(self.lines("list_channels", *wanted)[1:],
                         ["1\tguest\t/\ttrue\tfalse\t5"])


class ClosingCommands(OnACluster):
    def test_the_connections_of_a_user_on_all_nodes(self):
        self.one.must("add_user", "leaver", "leaver")
        self.one.must("set_permissions", "leaver", ".*", ".*", ".*")
        leavers = [connect(node.port, user="leaver", password="leaver")
                   for node in (self.one, self.two)]
        with connect(self.two.port) as stayer:
            self.says("Closing connections of user leaver, reason: bye now...\n",
                      "close_all_user_connections", "leaver", "bye now")
            for leaver in leavers:
                with self.assertRaisesRegex(pika.exceptions.ConnectionClosedByBroker,
                                            "CONNECTION_FORCED - bye now"):
                    leaver.process_data_events(10 * SLOWNESS)
            stayer.channel()


class QueueCommands(OnACluster):
    def setUp(self):
        connection = connect(self.one.port)
        connection.channel().queue_declare("cluster_c", durable=True)
        connection.close()
        fill(self.one.port, "cluster_c", 30)

    def test_purge_and_delete(self):
        self.says("Purging queue 'cluster_c' in vhost '/' ...\n", "purge_queue", "cluster_c")
        self.assertEqual(self.two.queues("messages")["cluster_c"]["messages"], 0)
        self.fails(69, "not_found", "purge_queue", "nosuch")
        fill(self.two.port, "cluster_c", 3)
        self.says("Deleting queue 'cluster_c' on vhost '/' ...\n"
                  "Queue was successfully deleted with 3 ready messages\n",
                  "delete_queue", "cluster_c")
        self.assertEqual(self.two.queues(), {})
        self.fails(64, "Queue not found", "delete_queue", "nosuch")

    def test_sync_queue_and_cancel(self):
        def mirrors(column):
            return self.two.queues(column)["cluster_c"][column] or []
        self.one.must("set_policy", "ha", "^cluster", '{"ha-mode":"all"}')
        self.says("Synchronising queue 'cluster_c' in vhost '/' ...\n", "sync_queue", "cluster_c")
        wait_until(lambda: len(mirrors("synchronised_slave_pids")) == 1, 10, "the mirror in sync")
        cancelled = self.one.ctl("cancel_sync_queue", "cluster_c")
        self.assertEqual(cancelled.code, 0, cancelled)
        self.assertTrue(cancelled.out.startswith(
            "Stopping synchronising queue 'cluster_c' in vhost '/' ...\n"), cancelled)
        self.fails(69, "not_found", "sync_queue", "nosuch")
        self.assertEqual(len(drain(self.two.port, "cluster_c")), 30)
        self.one.must("clear_policy", "ha")
        self.one.must("delete_queue", "cluster_c")


class NodesAndMistakes(OnACluster):
    def test_set_cluster_name(self):
        self.says("Setting cluster name to mycluster ...\n", "set_cluster_name", "mycluster")
        self.assertEqual(self.two.json("cluster_status")["cluster_name"], "mycluster")
        self.assertEqual(self.two.http("/api/cluster-name"), (200, {"name": "mycluster"}))
        self.one.must("set_cluster_name", ONE)

    def test_status_version_and_help(self):
        self.assertRegex(self.one.must("version"), r"^3\.\d+\.\d+\n$")
        status = self.one.must("status")
        self.assertIn(f"Status of node {ONE} ...\n", status)
        for text in (f"OS PID: {self.one.pid}", f"port: {self.one.port}, protocol: amqp"):
            self.assertIn(text, status)
        self.assertEqual(self.one.json("status")["pid"], self.one.pid)
        self.assertIn("join_cluster [--disc|--ram] <existing_cluster_member>",
                      self.one.must("help", "join_cluster"))
        self.assertIn("cluster_status", self.one.must("help"))
        self.assertEqual(self.one.must("await_startup"), "")

    def test_an_unreachable_node(self):
        for arguments in ["status"], ["cluster_status"], ["list_queues"], ["stop_app"]:
            result = self.cluster.run("rabbitmqctl", "-n", "nosuch", *arguments)
            self.assertEqual(result.code, 69, result)
            self.assertIn(NOT_REACHED.format(f"nosuch@{HOST}"), result.err)
            self.assertIn("DIAGNOSTICS\n===========\n", result.err)
            self.assertIn("epmd reports: node 'nosuch' not running at all", result.err)
            self.assertEqual(result.out if arguments != ["stop_app"] else "", "")

    def test_a_wrong_cookie_gets_in_nowhere(self):
        wrong = self.cluster.environment | {"RABBITMQ_ERLANG_COOKIE": "wrongcookie"}
        for arguments in ["cluster_status"], ["list_users"], ["stop_app"], ["add_vhost", "x"]:
            for result in (self.one.ctl(*arguments, env=wrong),
                           self.one.ctl("--erlang-cookie", "wrongcookie", *arguments)):
                self.assertEqual(result.code, 69, result)
                self.assertIn("check if the Erlang cookie is identical", result.err)
        self.assertEqual(self.one.running_nodes(), [ONE, TWO])
        self.assertNotIn("x", self.lines("list_vhosts"))
        stranger = dict(self.cluster.environment)
        with Cluster(1) as other:
            other.environment |= {"RABBITMQ_ERLANG_COOKIE": "wrongcookie",
                                  "ERL_EPMD_PORT": stranger["ERL_EPMD_PORT"]}
            node = other.nodes[0]
            node.name, node.full_name = "stranger", f"stranger@{HOST}"
            node.start().must("stop_app")
            refused = node.ctl("join_cluster", ONE)
            self.assertEqual(refused.code, 69, refused)
        self.assertEqual(self.one.disk_nodes(), [ONE, TWO])

    def test_mistyped_commands_and_arguments(self):
        self.fails(64, "Command 'nosuchcommand' not found", "nosuchcommand")
        self.fails(64, r"Command 'list_qeues' not found\. \nDid you mean 'list_queues'\?",
                   "list_qeues")
        self.fails(64, "not enough arguments", "join_cluster")
        self.fails(64, "too many arguments", "join_cluster", "a", "b", "c")
        self.fails(64, "--foo", "join_cluster", "--foo", ONE)
        self.fails(64, "--timeout : x", "cluster_status", "--timeout", "x")
        self.fails(64, "requires the 'rabbit' app to be stopped", "join_cluster", TWO)
        self.fails(64, "Command 'nosuch' not found", "help", "nosuch")

    def test_a_stopped_application(self):
        self.one.must("stop_app")
        try:
            self.says(f"Stopping rabbit application on node {ONE} ...\n", "stop_app")
            for command in "cluster_status", "status", "list_queues", "list_users":
                self.fails(64, "requires the 'rabbit' app to be running", command)
            self.fails(70, "cannot cluster node with itself", "join_cluster", ONE)
            self.fails(69, "DIAGNOSTICS", "join_cluster", f"nosuch@{HOST}")
            again = self.one.ctl("join_cluster", TWO)
            self.assertEqual((again.code, again.out.splitlines()[1:]),
                             (0, ["The node is already a member of this cluster"]), again)
        finally:
            self.one.must("start_app")
        self.says(f"Starting node {ONE} ...\n", "start_app")
        self.cluster.await_all()

    def test_a_second_start_under_a_running_name_does_no_harm(self):
        pid = self.one.pid
        again = self.cluster.run("rabbitmq-server", env=self.one.environment(), timeout=30)
        self.assertNotEqual(again.code, 0, again)
        self.assertIn("rabbit1", again.err + again.out)
        self.assertEqual(self.one.pid, pid)
        self.assertEqual(self.one.running_nodes(), [ONE, TWO])
        other_ports = self.one.environment() | {"RABBITMQ_NODE_PORT": str(self.two.port)}
        again = self.cluster.run("rabbitmq-server", env=other_ports, timeout=30)
        self.assertNotEqual(again.code, 0, again)
        self.assertEqual(self.two.running_nodes(), [ONE, TWO])

    def test_wait_for_a_pid_file(self):
        out = self.one.must("wait", str(self.one.pid_file))
        self.assertEqual(out.splitlines()[:2], [
            f"Waiting for pid file '{self.one.pid_file}' to appear", f"pid is {self.one.pid}"])
        missing = self.one.ctl("wait", "/nonexistent.pid", "--timeout", "1")
        self.assertEqual(missing.code, 75, missing)

    def test_plugins_and_diagnostics(self):
        listed = self.one.plugins("list").out
        self.assertRegex(listed, r"(?m)^\[E\*\] rabbitmq_management  +3\.")
        self.assertRegex(listed, r"(?m)^\[e\*\] rabbitmq_management_agent  +3\.")
        unknown = self.one.plugins("enable", "nosuch")
        self.assertNotEqual(unknown.code, 0, unknown)
        for command in ["ping"], ["check_running"], ["check_alarms"], \
                ["check_port_listener", str(self.one.port)]:
            result = self.cluster.run("rabbitmq-diagnostics", "-n", "rabbit1", *command)
            self.assertEqual(result.code, 0, result)
        pinged = self.cluster.run("rabbitmq-diagnostics", "-n", "nosuch", "ping")
        self.assertEqual(pinged.code, 69, pinged)
        listeners = self.cluster.run("rabbitmq-diagnostics", "-n", "rabbit1", "-q", "listeners",
                                     "--formatter", "json")
        self.assertEqual({one["protocol"] for one in json.loads(listeners.out)["listeners"]},
                         {"amqp", "http", "clustering"})


if __name__ == "__main__":
    unittest.main()
