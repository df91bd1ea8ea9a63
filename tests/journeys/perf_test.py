"""The load generator against a node, its own sink and its own relay."""

import json
import signal
import subprocess
import unittest

from harness import BIN, SLOWNESS, Cluster


def perf(*words, uri=None, pid=None):
    """Runs `warren perf` to its end; exit status, its JSON and its error text."""
    command = [str(BIN / "warren-perf"), *map(str, words)]
    if uri:
        command += ["--uri", uri, "--quiet", "--json", "-"]
    if pid:
        command += ["--server-pid", str(pid)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60 * SLOWNESS,
                          check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout.startswith("{") else None, \
        done.stderr


class AgainstANode(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(1)
        cls.enterClassContext(cls.cluster)
        cls.node = cls.cluster[1].start()
        cls.uri = f"amqp://127.0.0.1:{cls.node.port}"

    def must(self, *words):
        code, result, errors = perf(*words, uri=self.uri, pid=self.node.pid)
        self.assertEqual(code, 0, errors)
        return result

    def test_everything_published_is_confirmed_and_delivered(self):
        result = self.must("load", "--persistent", "--count", 5000, "--size", 100, "--confirms",
                           200, "--prefetch", 100, "--ack-batch", 10)
        for name in "published", "confirmed", "delivered":
            self.assertEqual(result[name], 5000, result)
        self.assertEqual(result["unconfirmed"], 0)
        self.assertNotIn("missing", result)
        self.assertEqual(result["confirm_latency_ms"]["count"], 5000)
        self.assertEqual(result["end_to_end_latency_ms"]["count"], 5000)
        self.assertGreater(result["servers"][0]["rss_kib_after"], 1000)
        self.assertNotIn("perf", self.node.queues())

    def test_exchanges_copy_and_choose(self):
        result = self.must("load", "--exchange-type", "fanout", "--queues", 3, "--consumers", 3,
                           "--count", 1000, "--auto-ack")
        self.assertEqual(result["delivered"], 3000, result)
        result = self.must("load", "--exchange-type", "topic", "--bindings", 50, "--binding-key",
                           "a.*.{}.#", "--routing-key", "a.b.{}.c", "--count", 1000, "--queues",
                           5, "--consumers", 2, "--producers", 2)
        self.assertEqual(result["delivered"], 1000, result)

    def test_large_messages_come_whole(self):
        result = self.must("load", "--size", 300000, "--count", 50, "--auto-ack")
        self.assertEqual(result["delivered"], 50, result)

    def test_a_backlog_stays_until_it_is_drained(self):
        self.must("fill", "--queue", "backlog", "--persistent", "--count", 3000, "--confirms", 100)
        self.assertEqual(self.node.queues("messages")["backlog"]["messages"], 3000)
        result = self.must("drain", "--queue", "backlog", "--prefetch", 50, "--delete")
        self.assertEqual(result["delivered"], 3000, result)
        self.assertNotIn("backlog", self.node.queues())

    def test_churn_counts_what_it_makes(self):
        for kind, made in (("queue", "created"), ("binding", "created"), ("exchange", "created"),
                           ("connection", "opened"), ("channel", "opened")):
            result = self.must("churn", kind, "--count", 20, "--pipeline", 5, "--queue", "churned",
                               "--exchange", "churned")
            self.assertEqual(result[made], 20, kind)
        self.assertFalse([name for name in self.node.queues() if name.startswith("churned")])

    def test_idle_connections_are_held(self):
        result = self.must("idle", "--connections", 20, "--channels", 2, "--time", 0.1)
        self.assertEqual(result["opened"], 20)

    def test_an_error_of_the_broker_is_told(self):
        code, _, errors = perf("drain", "--queue", "nosuch", uri=self.uri)
        self.assertEqual(code, 1)
        self.assertIn("no queue 'nosuch'", errors)

    def test_a_refused_login_is_told(self):
        code, _, errors = perf("load", uri=f"amqp://guest:wrong@127.0.0.1:{self.node.port}")
        self.assertNotEqual(code, 0)
        self.assertIn("ACCESS_REFUSED", errors)

    def test_an_interrupt_ends_it_with_a_result(self):
        process = subprocess.Popen(
            [str(BIN / "warren-perf"), "--uri", self.uri, "--queue", "cut", "--rate", "1000",
             "--time", "600", "--json", "-"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertIn("published", process.stderr.readline())
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30 * SLOWNESS)
        self.assertEqual(process.returncode, 0)
        self.assertGreater(json.loads(out)["delivered"], 0)
        self.assertNotIn("cut", self.node.queues())


class WithoutANode(unittest.TestCase):
    def serve(self, mode):
        server = subprocess.Popen([str(BIN / "warren-perf"), mode, "--quiet"],
                                  stdout=subprocess.PIPE, text=True)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)
        return "amqp://" + server.stdout.readline().split()[-1]

    def test_the_sink_takes_all(self):
        code, result, errors = perf("load", "--consumers", 0, "--count", 20000, "--confirms", 100,
                                    uri=self.serve("sink"))
        self.assertEqual(code, 0, errors)
        self.assertEqual(result["confirmed"], 20000)

    def test_the_relay_hands_on_all(self):
        uri = self.serve("relay")
        for size in 12, 100000, 300000:
            code, result, errors = perf("load", "--size", size, "--count", 500, uri=uri)
            self.assertEqual(code, 0, errors)
            self.assertEqual(result["delivered"], 500)
            self.assertEqual(result["end_to_end_latency_ms"]["count"], 500)

    def test_mistakes_are_told_with_the_option(self):
        for words, part in ((["--size", "big"], "--size"), (["walk"], "walk"),
                            (["--prefetch", "1", "--ack-batch", "2"], "--ack-batch")):
            code, _, errors = perf(*words)
            self.assertEqual(code, 64)
            self.assertIn(part, errors)

    def test_nobody_listening_is_told(self):
        code, _, errors = perf("load", uri="amqp://127.0.0.1:1")
        self.assertEqual(code, 1)
        self.assertIn("cannot connect", errors)


if __name__ == "__main__":
    unittest.main()
