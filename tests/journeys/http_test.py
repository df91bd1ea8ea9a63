"""The HTTP API: what a dashboard or a script asks a node, and who is let in."""

import subprocess
import unittest

from amqp import BROKEN, connect
from harness import Cluster, wait_until

GET = {"count": 5, "ackmode": "ack_requeue_true", "encoding": "auto"}


class Http(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(2)
        cls.addClassCleanup(cls.cluster.__exit__, None, None, None)
        cls.cluster.start_all().join_all()
        cls.one, cls.two = cls.cluster.nodes

    def must(self, status, method, path, body=None, node=None, user="guest:guest"):
        found, answer = (node or self.one).http(path, method, body, user)
        self.assertEqual(found, status, f"{method} {path}: {answer}")
        return answer

    def curl(self, *arguments):
        """The status, the headers by name in small letters, and the body."""
        done = subprocess.run(["curl", "-s", "-i", "-m", "10", *arguments], capture_output=True,
                              text=True, check=True)
        head, _, body = done.stdout.replace("\r\n", "\n").partition("\n\n")
        first, *lines = head.split("\n")
        return int(first.split()[1]), {name.lower(): value for name, value in (
            line.split(": ", 1) for line in lines)}, body

    def test_overview_and_nodes(self):
        overview = self.must(200, "GET", "/api/overview")
        self.assertEqual(overview["node"], self.one.full_name)
        self.assertRegex(overview["rabbitmq_version"], r"^3\.\d+\.\d+$")
        for key in "queues", "exchanges", "connections", "channels", "consumers":
            self.assertIsInstance(overview["object_totals"][key], int)
        for key in "messages", "messages_ready", "messages_unacknowledged":
            self.assertIsInstance(overview["queue_totals"].get(key, 0), int)
        self.assertEqual({(one["node"], one["port"]) for one in overview["listeners"]
                          if one["protocol"] == "amqp"},
                         {(node.full_name, node.port) for node in self.cluster.nodes})
        nodes = self.must(200, "GET", "/api/nodes")
        self.assertEqual([node["name"] for node in nodes],
                         [self.one.full_name, self.two.full_name])
        for node in nodes:
            self.assertEqual((node["running"], node["type"]), (True, "disc"))
            self.assertEqual((node["mem_alarm"], node["disk_free_alarm"], node["partitions"]),
                             (False, False, []))
            self.assertGreater(node["mem_used"], 0)
        one = self.must(200, "GET", f"/api/nodes/{self.two.full_name}")
        self.assertEqual(one["os_pid"], str(self.two.pid))

    def test_queues_exchanges_and_bindings(self):
        queue, exchange = "/api/queues/%2F/http.q", "/api/exchanges/%2F/http.x"
        binding = "/api/bindings/%2F/e/http.x/q/http.q"
        self.must(201, "PUT", queue, {"durable": True, "arguments": {"x-max-length": 10}})
        self.must(204, "PUT", queue, {"durable": True, "arguments": {"x-max-length": 10}})
        refused = self.must(400, "PUT", queue, {"durable": False})
        self.assertEqual(refused["error"], "bad_request")
        self.assertIn("inequivalent arg 'durable' for queue 'http.q' in vhost '/': "
                      "received 'false' but current is 'true'", refused["reason"])
        self.must(201, "PUT", exchange, {"type": "topic"})
        self.must(201, "POST", binding, {"routing_key": "a.*", "arguments": {}})
        two = self.two
        self.assertEqual(self.must(200, "GET", exchange, node=two)["type"], "topic")
        shown = self.must(200, "GET", queue, node=two)
        self.assertEqual((shown["arguments"], shown["type"], shown["node"]),
                         ({"x-max-length": 10}, "classic", self.one.full_name))
        self.assertIn("http.q", [one["name"] for one in
                                 self.must(200, "GET", "/api/queues", node=two)])
        bindings = self.must(200, "GET", f"{queue}/bindings", node=two)
        self.assertEqual([(b["source"], b["routing_key"]) for b in bindings],
                         [("", "http.q"), ("http.x", "a.*")])
        key = bindings[1]["properties_key"]
        self.must(204, "DELETE", f"{binding}/{key.replace('*', '%2A')}", node=two)
        self.assertEqual(len(self.must(200, "GET", f"{queue}/bindings")), 1)
        self.must(204, "DELETE", exchange, node=two)
        self.must(404, "GET", exchange)
        self.must(204, "DELETE", queue, node=two)
        self.must(404, "GET", queue)
        names = {one["name"] for one in self.must(200, "GET", "/api/exchanges/%2F", node=two)}
        self.assertLess({"", "amq.direct", "amq.fanout", "amq.topic", "amq.headers"}, names)
        refused = self.must(401, "DELETE", "/api/exchanges/%2F/amq.direct")
        self.assertEqual(refused["reason"], "Access refused.")

    def test_publish_get_and_purge(self):
        queue, publish = "/api/queues/%2F/http.m", "/api/exchanges/%2F/amq.default/publish"
        self.must(201, "PUT", queue, {"durable": True})
        message = {"properties": {"delivery_mode": 2, "headers": {"a": 1}},
                   "routing_key": "http.m", "payload": "hello", "payload_encoding": "string"}
        two = self.two
        self.assertEqual(self.must(200, "POST", publish, message, two), {"routed": True})
        message |= {"payload": "/wAB", "payload_encoding": "base64", "properties": {}}
        self.assertEqual(self.must(200, "POST", publish, message), {"routed": True})
        message["routing_key"] = "nosuch"
        self.assertEqual(self.must(200, "POST", publish, message), {"routed": False})
        found = self.must(200, "POST", f"{queue}/get", GET, two)
        self.assertEqual(found[0], {
            "payload_bytes": 5, "redelivered": False, "exchange": "", "routing_key": "http.m",
            "message_count": 1, "properties": {"delivery_mode": 2, "headers": {"a": 1}},
            "payload": "hello", "payload_encoding": "string"})
        self.assertEqual((found[1]["payload"], found[1]["payload_encoding"],
                          found[1]["properties"]), ("/wAB", "base64", []))
        taken = self.must(200, "POST", f"{queue}/get", GET | {"ackmode": "ack_requeue_false",
                                                             "count": 1})
        self.assertEqual((taken[0]["payload"], taken[0]["redelivered"]), ("hello", True))
        wait_until(lambda: self.must(200, "GET", queue, node=two)["messages"] == 1, 10, "one left")
        self.must(204, "DELETE", f"{queue}/contents", node=two)
        wait_until(lambda: self.must(200, "GET", queue)["messages"] == 0, 10, "an empty queue")
        self.assertEqual(self.must(200, "POST", f"{queue}/get", GET), [])
        self.must(204, "DELETE", queue)
        self.assertEqual(self.must(200, "GET", "/api/aliveness-test/%2F"), {"status": "ok"})

    def test_vhosts_users_permissions_and_policies(self):
        two = self.two
        self.must(201, "PUT", "/api/vhosts/http%2Fv")
        self.must(204, "PUT", "/api/vhosts/http%2Fv")
        self.must(201, "PUT", "/api/users/eve", {"password": "pw", "tags": "management"})
        self.must(201, "PUT", "/api/permissions/http%2Fv/eve",
                  {"configure": ".*", "write": ".*", "read": ".*"})
        connection = connect(two.port, user="eve", password="pw", vhost="http/v")
        connection.channel().queue_declare("ev.q", durable=True)
        connection.close()
        self.assertIn("http/v", [v["name"] for v in self.must(200, "GET", "/api/vhosts", node=two)])
        self.assertEqual(self.must(200, "GET", "/api/users/eve", node=two)["tags"], ["management"])
        self.assertEqual(self.must(200, "GET", "/api/permissions/http%2Fv/eve", node=two),
                         {"user": "eve", "vhost": "http/v", "configure": ".*", "write": ".*",
                          "read": ".*"})
        self.must(201, "PUT", "/api/policies/http%2Fv/ha",
                  {"pattern": "^ev", "definition": {"ha-mode": "all"}, "apply-to": "queues"})
        self.assertEqual(self.must(200, "GET", "/api/policies/http%2Fv", node=two), [
            {"vhost": "http/v", "name": "ha", "pattern": "^ev", "apply-to": "queues",
             "definition": {"ha-mode": "all"}, "priority": 0}])
        wait_until(lambda: self.must(200, "GET", "/api/queues/http%2Fv/ev.q").get(
            "synchronised_slave_nodes"), 10, "a mirror in sync")
        self.must(400, "PUT", "/api/policies/http%2Fv/bad",
                  {"pattern": "^", "definition": {"ha-mode": "foo"}})
        self.must(204, "DELETE", "/api/policies/http%2Fv/ha", node=two)
        self.must(404, "GET", "/api/policies/http%2Fv/ha")
        self.must(204, "DELETE", "/api/permissions/http%2Fv/eve", node=two)
        self.must(204, "DELETE", "/api/users/eve", node=two)
        self.must(204, "DELETE", "/api/vhosts/http%2Fv", node=two)
        self.must(404, "GET", "/api/users/eve")
        self.must(404, "GET", "/api/vhosts/http%2Fv")

    def test_connections_channels_and_consumers(self):
        connection = connect(self.one.port)
        channel = connection.channel()
        channel.queue_declare("http.c", exclusive=True)
        channel.basic_consume("http.c", lambda *_: None, consumer_tag="tag")
        shown = wait_until(lambda: self.must(200, "GET", "/api/connections", node=self.two), 10,
                           "the connection")
        self.assertEqual([(c["user"], c["vhost"], c["state"], c["node"]) for c in shown],
                         [("guest", "/", "running", self.one.full_name)])
        channels = self.must(200, "GET", "/api/channels", node=self.two)
        self.assertEqual([(c["number"], c["consumer_count"]) for c in channels], [(1, 1)])
        consumers = self.must(200, "GET", "/api/consumers/%2F", node=self.two)
        self.assertEqual([(c["consumer_tag"], c["queue"]["name"]) for c in consumers],
                         [("tag", "http.c")])
        name = shown[0]["name"].replace(" ", "%20").replace(">", "%3E")
        self.must(204, "DELETE", f"/api/connections/{name}", node=self.one)
        def is_closed():
            try:
                connection.process_data_events(0)
                return False
            except BROKEN as error:
                self.assertIn("CONNECTION_FORCED", repr(error))
                return True
        wait_until(is_closed, 10, "the connection closed")

    def test_who_is_let_in(self):
        overview = f"http://127.0.0.1:{self.one.http_port}/api/overview"
        for login in [], ["-u", "guest:wrong"], ["-u", "nosuch:guest"], ["-H", "Authorization: x"]:
            status, headers, body = self.curl(*login, overview)
            self.assertEqual((status, body), (
                401, '{"error":"not_authorized","reason":"Login failed"}'), login)
            self.assertEqual(headers["www-authenticate"], 'Basic realm="RabbitMQ Management"')
        self.one.must("add_user", "plain", "pw")
        self.assertEqual(self.one.http("/api/overview", user="plain:pw")[0], 401)
        self.one.must("set_user_tags", "plain", "management")
        self.assertEqual(self.one.http("/api/whoami", user="plain:pw"),
                         (200, {"name": "plain", "tags": ["management"]}))
        refused = self.must(401, "GET", "/api/users", user="plain:pw")
        self.assertEqual(refused, {"error": "not_authorised", "reason": "Not administrator user"})
        self.must(401, "PUT", "/api/queues/%2F/x", {}, user="plain:pw")
        self.one.must("delete_user", "plain")

    def test_answers_to_odd_requests(self):
        base = f"http://127.0.0.1:{self.one.http_port}"
        login = ["-u", "guest:guest"]
        status, headers, body = self.curl(*login, f"{base}/api/nosuch")
        self.assertEqual((status, body), (404, '{"error":"Object Not Found","reason":"Not Found"}'))
        self.assertEqual(headers["content-type"], "application/json")
        self.must(404, "GET", "/api/queues/nosuch")
        self.must(404, "GET", "/api/queues/%2F/nosuch")
        self.assertEqual(self.curl(*login, "-X", "POST", f"{base}/api/overview")[0], 405)
        status, _, _ = self.curl(*login, "-X", "PUT", "-H", "Content-Type: application/json",
                                 "-d", "{not json", f"{base}/api/queues/%2F/x")
        self.assertEqual(status, 400)
        status, _, body = self.curl(f"{base}/")
        self.assertEqual(status, 200)
        self.assertIn("<html", body.lower())
        two = self.curl(*login, f"{base}/api/whoami", f"{base}/api/whoami")
        self.assertEqual(two[0], 200)


if __name__ == "__main__":
    unittest.main()
