"""More foreign clients, unmodified, each in the ways of its own language: one small program a
client, in clients/. A program prints "ok: STEP" for each step of the story that went well, and
"restart the broker" when it wants to be cut off and to recover."""

import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import unittest

from harness import MARK, ROOT, SLOWNESS, Cluster

SOURCE = pathlib.Path(__file__).resolve().parent / "clients"
BUILD = ROOT / "build" / "journeys-clients"
# What applications do with every client; a program adds what is its client's own.
STORY = {"refused password", "publish and consume", "requeue", "dead letter", "returned",
         "properties", "precondition", "reply-to", "transaction", "deleted queue", "recovery"}


class OtherClients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(1)
        cls.addClassCleanup(cls.cluster.__exit__, None, None, None)
        cls.node = cls.cluster.start_all()[1]

    def need(self, is_there, what):
        if not is_there:
            self.skipTest(f"{self._testMethodName[5:]}: {what} is not installed")

    def build(self, output, source, command, **environment):
        """Runs a compiler unless what it makes is newer than the source."""
        if output.exists() and output.stat().st_mtime > source.stat().st_mtime:
            return
        BUILD.mkdir(parents=True, exist_ok=True)
        done = subprocess.run([*map(str, command)], env=os.environ | environment, text=True,
                              capture_output=True, timeout=120 * SLOWNESS, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def walk(self, command, steps, cut_off=None):
        """Runs a program to its end; `cut_off` takes the node away and brings it back."""
        errors = self.cluster.home / f"{self._testMethodName}.txt"
        with open(errors, "wb") as stderr:
            process = subprocess.Popen(
                [*map(str, command), "127.0.0.1", str(self.node.port)], text=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr,
                env=os.environ | {MARK: str(self.cluster.home)})
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
        rows = self.node.json("list_connections", "timeout", "client_properties")
        name = ["connection_name", "longstr", "journey"]
        self.assertTrue(any(row["timeout"] == 5 and name in row["client_properties"]
                            for row in rows), rows)

    def restart_application(self):
        self.node.must("stop_app")
        self.node.must("start_app")

    def kill_and_start(self):
        self.node.kill()
        self.node.start()

    def test_aio_pika(self):
        self.need(importlib.util.find_spec("aio_pika"), "python3-aio-pika")
        self.walk([sys.executable, SOURCE / "aio_pika" / "journey.py"],
                  STORY | {"rpc pattern"}, self.restart_application)

    def test_kombu(self):
        self.need(importlib.util.find_spec("kombu"), "python3-kombu")
        self.walk([sys.executable, SOURCE / "kombu" / "journey.py"], STORY,
                  self.restart_application)

    def test_celery(self):
        self.need(importlib.util.find_spec("celery"), "python3-celery")
        self.walk([sys.executable, SOURCE / "celery" / "journey.py"],
                  {"inspect", "results", "retry", "countdown", "group and chain", "events",
                   "late acknowledgement", "recovery"}, self.restart_application)

    # Libraries of a language that a machine may have from elsewhere too are those of Debian's
    # interpreter.

    def test_bunny(self):
        self.need(pathlib.Path("/usr/share/doc/ruby-bunny").exists(), "ruby-bunny")
        self.walk(["/usr/bin/ruby", SOURCE / "bunny" / "journey.rb"], STORY, self.kill_and_start)

    def test_php_amqplib(self):
        self.need(pathlib.Path("/usr/share/php/PhpAmqpLib").exists() and
                  pathlib.Path("/usr/bin/php").exists(), "php-amqplib or php-cli")
        self.walk(["/usr/bin/php", SOURCE / "php_amqplib" / "journey.php"], STORY,
                  self.restart_application)

    def test_amqp091_go(self):
        library = pathlib.Path("/usr/share/gocode/src/github.com/rabbitmq/amqp091-go")
        go = shutil.which("go")
        self.need(library.exists() and go, "golang-github-rabbitmq-amqp091-go-dev or go")
        program, source = BUILD / "go", SOURCE / "amqp091_go" / "journey.go"
        self.build(program, source, [go, "build", "-o", program, source], CGO_ENABLED="0",
                   GO111MODULE="off", GOPATH="/usr/share/gocode", GOCACHE=str(BUILD / "go-cache"))
        self.walk([program], STORY, self.restart_application)

    def test_rabbitmq_c(self):
        self.need(pathlib.Path("/usr/include/amqp_tcp_socket.h").exists(), "librabbitmq-dev")
        program, source = BUILD / "c", SOURCE / "rabbitmq_c" / "journey.c"
        self.build(program, source, ["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1",
                                     "-o", program, source, "-lrabbitmq"])
        self.walk([program], STORY, self.restart_application)

    def test_java_client(self):
        jars = [pathlib.Path("/usr/share/java") / name
                for name in ("amqp-client.jar", "slf4j-api.jar")]
        java, compiler = shutil.which("java"), shutil.which("javac") or shutil.which("ecj")
        self.need(jars[0].exists() and java and compiler,
                  "librabbitmq-client-java, java, or javac and ecj")
        source = SOURCE / "java" / "Journey.java"
        self.build(BUILD / "Journey.class", source, [
            compiler, "-proc:none", "-source", "17", "-target", "17", "-cp", jars[0], "-d", BUILD,
            source])
        classes = ":".join(map(str, [BUILD, *jars]))
        self.walk([java, "-XX:TieredStopAtLevel=1", "-cp", classes, "Journey"], STORY,
                  self.kill_and_start)


if __name__ == "__main__":
    unittest.main()
