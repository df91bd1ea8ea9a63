"""The Spring Boot example through HAProxy: send, lose node 1, send again, receive both."""

import json
import os
import pathlib
import shutil
import subprocess
import unittest
import urllib.request

from harness import ROOT, SLOWNESS, Cluster, is_open, wait_until

SOURCE = ROOT / "examples" / "spring-boot"
BUILD = ROOT / "build" / "journeys-spring"
JAR = BUILD / "spring-boot-example.jar"
QUEUE_PATH = "/api/queues/%2F/cluster_test"


def newest(folder):
    return max(path.stat().st_mtime for path in folder.rglob("*") if path.is_file())


class Application:
    """One run of the example; its output goes to a file of the cluster's home."""

    def __init__(self, cluster, port, name, *, receives):
        self.port, self.output = port, cluster.home / f"{name}.txt"
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen(
                ["java", "-XX:TieredStopAtLevel=1", "-jar", str(JAR), f"--server.port={port}",
                 f"--spring.rabbitmq.port={cluster.proxy_port}",
                 f"--example.receive={str(receives).lower()}"],
                stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        cluster.processes.append(self.process)
        wait_until(lambda: is_open(port) or self.process.poll() is not None, 90,
                   "the application listening")
        assert self.process.poll() is None, self.text()

    def send(self, message):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/send", json.dumps({"message": message}).encode(),
            {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30 * SLOWNESS) as answer:
            return answer.status

    def text(self):
        return pathlib.Path(self.output).read_text(errors="replace")

    def received(self):
        return [line.split(": ", 1)[1] for line in self.text().splitlines()
                if line.startswith("received: ")]

    def stop(self):
        self.process.terminate()
        self.process.wait(30 * SLOWNESS)


class Spring(unittest.TestCase):
    def build(self):
        if not shutil.which("mvn") or not shutil.which("java"):
            self.skipTest("spring: Maven or Java is not installed")
        if JAR.exists() and JAR.stat().st_mtime > newest(SOURCE):
            return
        shutil.rmtree(BUILD, ignore_errors=True)
        shutil.copytree(SOURCE, BUILD / "source", ignore=shutil.ignore_patterns("target"))
        done = subprocess.run(["mvn", "-q", "-B", "package"], cwd=BUILD / "source", text=True,
                              capture_output=True, timeout=300, check=False, env=os.environ)
        if done.returncode != 0 and "Could not transfer" in done.stdout + done.stderr:
            self.skipTest("spring: Maven's repository can't be reached")
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-3000:])
        shutil.copy(BUILD / "source" / "target" / JAR.name, JAR)

    def messages(self, node):
        status, found = node.http(f"{QUEUE_PATH}/get", "POST", {
            "count": 10, "ackmode": "ack_requeue_true", "encoding": "auto"})
        return [message["payload"] for message in found] if status == 200 else status

    def test_the_sender_and_the_receiver_of_the_document(self):
        self.build()
        with Cluster(3).start_all().join_all().mirror().start_haproxy() as cluster:
            http_port = cluster.spare_port
            sender = Application(cluster, http_port, "sender", receives=False)
            self.assertEqual(sender.send("test"), 200)
            wait_until(lambda: self.messages(cluster[1]) == ["test"], 10, "the message on node 1")
            cluster[1].must("stop_app")
            for node in cluster[2], cluster[3]:
                self.assertEqual(self.messages(node), ["test"])
            self.assertEqual(sender.send("test2"), 200)
            for node in cluster[2], cluster[3]:
                wait_until(lambda n=node: self.messages(n) == ["test", "test2"], 10, "both")
            sender.stop()
            receiver = Application(cluster, http_port, "receiver", receives=True)
            wait_until(lambda: receiver.received() == ["test", "test2"], 30, "both received")
            self.assertEqual(receiver.send("test3"), 200)
            wait_until(lambda: receiver.received()[2:] == ["test3"], 10, "the third received")
            victim = next(node for node in cluster.nodes[1:]
                          if node.full_name == cluster[2].http(QUEUE_PATH)[1]["node"])
            victim.kill()
            cluster[1].must("start_app")
            self.assertEqual(receiver.send("test4"), 200)
            wait_until(lambda: receiver.received()[3:] == ["test4"], 30, "received after a kill")
            receiver.stop()


if __name__ == "__main__":
    unittest.main()
