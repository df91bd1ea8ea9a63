"""More foreign clients, unmodified, each in the ways of its own language: one small program a
client, in clients/. A program prints "ok: STEP" for each step of the story that went well, and
"restart the broker" when it wants to be cut off and to recover."""

import importlib.util
import pathlib
import subprocess
import sys
import threading
import unittest

from harness import SLOWNESS, Cluster

SOURCE = pathlib.Path(__file__).resolve().parent / "clients"
# What applications do with every client; a program adds what is its client's own.
STORY = {"refused password", "publish and consume", "requeue", "returned", "properties",
         "precondition", "reply-to", "transaction", "deleted queue"}


class OtherClients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(1)
        cls.addClassCleanup(cls.cluster.__exit__, None, None, None)
        cls.node = cls.cluster.start_all()[1]

    def need(self, is_there, what):
        if not is_there:
            self.skipTest(f"{self._testMethodName[5:]}: {what} is not installed")

    def walk(self, command, steps, cut_off=None):
        """Runs a program to its end; `cut_off` takes the node away and brings it back."""
        errors = self.cluster.home / f"{self._testMethodName}.txt"
        with open(errors, "wb") as stderr:
            process = subprocess.Popen(
                [*map(str, command), "127.0.0.1", str(self.node.port)], text=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr)
        guard = threading.Timer(60 * SLOWNESS, process.kill)
        guard.start()
        for cleanup in process.stdout.close, guard.cancel, process.kill:
            self.addCleanup(cleanup)
        seen = []
        for line in map(str.strip, process.stdout):
            if line == "restart the broker":
                self.check_connection()
                cut_off()
            elif line.startswith("ok: "):
                seen.append(line[4:])
        self.assertEqual((process.wait(), sorted(seen)), (0, sorted(steps)),
                         errors.read_text(errors="replace")[-4000:])

    def check_connection(self):
        """What the program asked for when it connected."""
        connection, = self.node.json("list_connections", "timeout", "client_properties")
        self.assertEqual(connection["timeout"], 5)
        self.assertIn(["connection_name", "longstr", "journey"], connection["client_properties"])

    def restart_application(self):
        self.node.must("stop_app")
        self.node.must("start_app")

    def kill_and_start(self):
        self.node.kill()
        self.node.start()

    def test_aio_pika(self):
        self.need(importlib.util.find_spec("aio_pika"), "python3-aio-pika")
        self.walk([sys.executable, SOURCE / "aio_pika" / "journey.py"],
                  STORY | {"rpc pattern", "recovery"}, self.restart_application)


if __name__ == "__main__":
    unittest.main()
