"""The rows of the comparison: what is done to a broker, and what is read off.

A row is a function that starts the broker it needs and gives figures by name. LINES says which of
them stand in the report, with their goals."""

import dataclasses
import json
import os
import pathlib
import subprocess
import threading
import time

from brokers import ROOT, WARREN_BIN, BenchError, Broker, answers_amqp, resident_mib, wait_until

BUILD = ROOT / "build/bench"

# How RabbitMQ's kinds of queues are asked for. Warren has one.
KINDS = {
    "warren": [],
    "rabbitmq": [],
    "rabbitmq-v2": ["--queue-argument", "x-queue-version=2"],
    "rabbitmq-quorum": ["--queue-type", "quorum"],
}


class Run:
    """One run of one row against one target."""

    def __init__(self, target, quick):
        self.target = target
        self.kind = target.split("-")[0]
        self.queue = KINDS.get(target, [])
        self.quick = quick
        self.commands = []
        self.raw = []

    def seconds(self):
        return ["--warm-up", "1", "--time", "3"] if self.quick else ["--warm-up", "2", "--time", "6"]

    def broker(self, nodes=1):
        return Broker(self.kind, nodes)

    def perf(self, *arguments, broker=None, uris=None, timeout=1200):
        """Runs `warren perf`; its JSON."""
        words = [str(word) for word in arguments]
        if broker:
            uris = uris or ["--uri", broker.uri()]
            words += uris + [f"--server-pid={pid}" for pid in broker.pids()]
        done = subprocess.run([WARREN_BIN / "warren-perf", *words, "--quiet", "--json", "-"],
                              capture_output=True, text=True, timeout=timeout, check=False)
        command = "warren perf " + " ".join(
            word for word in words if not word.startswith(("--server-pid", "amqp://"))
        ).replace("--uri", "--uri URI").replace("-URI", "-uri URI")
        self.commands.append(command)
        if done.returncode != 0:
            raise BenchError(f"{self.target}: {command}: {done.stderr.strip()}\n"
                             + (broker.last_words() if broker else ""))
        result = json.loads(done.stdout)
        self.raw.append({"command": command, "result": result})
        return result


def cpu(result):
    return {"cpu": result["server_cpu_us_per_message"]} \
        if "server_cpu_us_per_message" in result else {}


def transient(size):
    def row(run):
        with run.broker() as broker:
            result = run.perf("load", "--auto-ack", "--size", size, *run.queue, *run.seconds(),
                              broker=broker)
        return {"rate": result["delivered_per_second"]} | cpu(result)
    return row


def persistent(size):
    def row(run):
        with run.broker() as broker:
            result = run.perf("load", "--persistent", "--size", size, "--confirms", 1000,
                              "--prefetch", 500, "--ack-batch", 50, *run.queue, *run.seconds(),
                              broker=broker)
        return {"rate": result["confirmed_per_second"]} | cpu(result)
    return row


def latencies(result, name):
    return {"p50": result[name]["p50"], "p99": result[name]["p99"],
            "p99.9": result[name]["p99.9"]}


def persistent_latency(run):
    with run.broker() as broker:
        result = run.perf("load", "--persistent", "--size", 16, "--rate", 1000, "--confirms", 1000,
                          *run.queue, *run.seconds(), broker=broker)
    return latencies(result, "confirm_latency_ms") | cpu(result)


def transient_latency(run):
    with run.broker() as broker:
        result = run.perf("load", "--auto-ack", "--size", 16, "--rate", 1000, *run.queue,
                          *run.seconds(), broker=broker)
    return latencies(result, "end_to_end_latency_ms") | cpu(result)


def ten_queues(run):
    with run.broker() as broker:
        result = run.perf("load", "--queues", 10, "--producers", 10, "--consumers", 10,
                          "--auto-ack", "--size", 12, *run.seconds(), broker=broker)
    return {"rate": result["delivered_per_second"],
            "published over delivered": result["published"] / max(1, result["delivered"])} \
        | cpu(result)


def fanout(run):
    with run.broker() as broker:
        result = run.perf("load", "--exchange-type", "fanout", "--queues", 10, "--consumers", 10,
                          "--auto-ack", "--size", 12, *run.seconds(), broker=broker)
    return {"rate": result["delivered_per_second"]} | cpu(result)


def bindings(run):
    """100,000 bindings are made, published over, and go with their exchange."""
    count = 10000 if run.quick else 100000
    with run.broker() as broker:
        exchange = ["--exchange-type", "topic"]
        made = run.perf("churn", "binding", "--create-only", "--count", count, "--pipeline", 100,
                        *exchange, broker=broker)
        load = run.perf("load", "--no-declare", *exchange, "--bindings", count, "--auto-ack",
                        "--size", 12, *run.seconds(), broker=broker)
        gone = run.perf("churn", "exchange", "--delete-only", "--count", 1, broker=broker)
    return {"bindings": made["created_per_second"], "rate": load["delivered_per_second"],
            "published": load["published_per_second"],
            "delete seconds": gone["removed_latency_ms"]["max"] / 1000,
            "bindings made": count} | cpu(load)


def backlog(run):
    count = 100000 if run.quick else 1000000
    with run.broker() as broker:
        filled = run.perf("fill", "--persistent", "--size", 1024, "--confirms", 2000, "--count",
                          count, *run.queue, broker=broker)
        memory = resident_mib(broker.pid(0))
        broker.stop()
        restart = broker.start()
        drained = run.perf("drain", "--prefetch", 500, "--ack-batch", 50, "--settle", 60,
                           broker=broker)
    if drained["delivered"] < count:
        raise BenchError(f"{run.target}: {drained['delivered']} of {count} came back")
    return {"fill": filled["confirmed_per_second"],
            "memory": max(memory, filled["servers"][0]["rss_kib_most"] / 1024),
            "restart": restart, "drain": drained["delivered_per_second"]} | cpu(filled)


def many_queues(run):
    count = 1000 if run.quick and run.kind == "rabbitmq" else 10000
    with run.broker() as broker:
        made = run.perf("churn", "queue", "--durable", "--create-only", "--count", count,
                        "--pipeline", 100, broker=broker)
        broker.stop()
        restart = broker.start()
    return {"declare": made["created_per_second"], "memory": made["rss_octets_each"] / 1024,
            "restart": restart, "queues": count} | cpu(made)


def start(run):
    with run.broker() as broker:
        time.sleep(2)
        return {"start": broker.start_seconds * 1000, "memory": resident_mib(broker.pid(0))}


def idle(run):
    count = 1000 if run.quick else 5000
    with run.broker() as broker:
        # What the first connections bring along is not what each one costs.
        run.perf("idle", "--connections", 50, "--channels", 1, broker=broker)
        result = run.perf("idle", "--connections", count, "--channels", 1, "--time", 2,
                          broker=broker)
    return {"memory": result["rss_octets_each"] / 1024, "opened": result["opened_per_second"],
            "cpu seconds while idle": sum(s["cpu_seconds"] for s in result["servers"])}


def cluster(run):
    with run.broker(3) as broker:
        result = run.perf("load", "--persistent", "--size", 1024, "--confirms", 1000, "--prefetch",
                          500, "--ack-batch", 50, *run.queue, *run.seconds(), broker=broker)
    return {"rate": result["confirmed_per_second"]} | cpu(result)


def failover(run):
    """The queue's first node is killed while others publish and consume."""
    with run.broker(3) as broker:
        killer = threading.Timer(4, lambda: broker.kill(0))
        killer.start()
        try:
            result = run.perf("load", "--keep", "--persistent", "--size", 16, "--rate", 500,
                              "--confirms", 1000, *run.queue, "--time", 9, broker=broker,
                              uris=["--uri", broker.uri(0), "--producer-uri", broker.uri(1),
                                    "--consumer-uri", broker.uri(2)])
        finally:
            killer.cancel()
    return {"gap": max(result["longest_confirm_gap_ms"], result["confirm_latency_ms"]["max"]),
            "unconfirmed": result["unconfirmed"]}


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def many(run):
    """100,000 queues and 1,000,000 bindings on disk, 10,000 connections; idle, and a restart."""
    queues, bindings, connections = (10000, 100000, 1000) if run.quick \
        else (100000, 1000000, 10000)
    with run.broker() as broker:
        declared = run.perf("churn", "queue", "--durable", "--create-only", "--count", queues,
                            "--pipeline", 100, broker=broker)
        broker.stop()
        restart_queues = broker.start()
        bound = run.perf("churn", "binding", "--durable", "--create-only", "--count", bindings,
                         "--pipeline", 100, "--exchange-type", "topic", broker=broker)
        full = resident_mib(broker.pid(0))
        # What compacts the catalog after that is not what being idle costs.
        time.sleep(2)
        before = cpu_seconds(broker.pid(0))
        time.sleep(5)
        idle_cpu = cpu_seconds(broker.pid(0)) - before
        broker.stop()
        restart = broker.start()
        restarted = resident_mib(broker.pid(0))
        opened = run.perf("idle", "--connections", connections, "--channels", 1, "--time", 5,
                          broker=broker)
    return {"declare": declared["created_per_second"],
            "queue memory": declared["rss_octets_each"] / 1024, "restart queues": restart_queues,
            "bind": bound["created_per_second"], "binding memory": bound["rss_octets_each"],
            "memory": full, "idle cpu": idle_cpu / 5 * 100, "restart": restart,
            "memory after restart": restarted, "opened": opened["opened_per_second"],
            "connection memory": opened["rss_octets_each"] / 1024,
            "connections idle cpu":
                sum(s["cpu_seconds"] for s in opened["servers"]) / 5 * 100} | cpu(declared)


def stub(mode, size, rate=None):
    """The generator against its own sink or relay."""
    def row(run):
        with subprocess.Popen([WARREN_BIN / "warren-perf", mode, "--quiet"],
                              stdout=subprocess.PIPE, text=True) as server:
            try:
                address = server.stdout.readline().split()[-1]
                wait_until(lambda: answers_amqp(int(address.rsplit(":", 1)[1])), 10, mode)
                consumers = ["--consumers", 0] if mode == "sink" else ["--auto-ack"]
                pace = ["--rate", rate] if rate else []
                result = run.perf("load", *consumers, "--size", size, *pace, *run.seconds(),
                                  f"--server-pid={server.pid}", "--uri", f"amqp://{address}")
            finally:
                server.terminate()
        if rate:
            return latencies(result, "end_to_end_latency_ms") | cpu(result)
        key = "published_per_second" if mode == "sink" else "delivered_per_second"
        return {"rate": result[key],
                "generator": result["generator_cpu_seconds"]} | cpu(result)
    return row


def disk(run):
    """What one small write and fdatasync take, 1,000 times a second, in a file with its room."""
    octets, count = 256, 3000 if run.quick else 8000
    path = BUILD / "fdatasync"
    times = []
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        os.posix_fallocate(file, 0, octets * count)
        os.fsync(file)
        due = time.monotonic()
        for i in range(count):
            due += 0.001
            time.sleep(max(0, due - time.monotonic()))
            began = time.perf_counter()
            os.pwrite(file, b"x" * octets, i * octets)
            os.fdatasync(file)
            times.append((time.perf_counter() - began) * 1000)
    finally:
        os.close(file)
        path.unlink()
    times.sort()
    return {"p50": times[count // 2], "p99": times[count * 99 // 100],
            "p99.9": times[count * 999 // 1000]}


ALL_KINDS = ["warren", "rabbitmq", "rabbitmq-v2", "rabbitmq-quorum"]
BOTH = ["warren", "rabbitmq"]

# name: (function, targets)
ROWS = {
    "sink-12": (stub("sink", 12), ["sink"]),
    "sink-1k": (stub("sink", 1024), ["sink"]),
    "relay-12": (stub("relay", 12), ["relay"]),
    "relay-1k": (stub("relay", 1024), ["relay"]),
    "relay-64k": (stub("relay", 65536), ["relay"]),
    "relay-latency": (stub("relay", 16, 1000), ["relay"]),
    "disk-latency": (disk, ["disk"]),
    "transient-12": (transient(12), BOTH),
    "transient-1k": (transient(1024), BOTH),
    "transient-64k": (transient(65536), BOTH),
    "persistent-16": (persistent(16), ALL_KINDS),
    "persistent-1k": (persistent(1024), ALL_KINDS),
    "persistent-latency": (persistent_latency, ALL_KINDS),
    "transient-latency": (transient_latency, BOTH),
    "ten-queues": (ten_queues, BOTH),
    "fanout": (fanout, BOTH),
    "bindings": (bindings, BOTH),
    "backlog": (backlog, BOTH),
    "many-queues": (many_queues, BOTH),
    "many": (many, ["warren"]),
    "start": (start, BOTH),
    "idle": (idle, BOTH),
    "cluster": (cluster, ["warren", "rabbitmq", "rabbitmq-quorum"]),
    "failover": (failover, ["warren", "rabbitmq", "rabbitmq-quorum"]),
}
# What these are about is less of it in a quick run.
REDUCED_WHEN_QUICK = {"bindings", "backlog", "many-queues", "many", "idle"}
# These take minutes; once is enough.
SLOW = {("bindings", "rabbitmq"), ("many-queues", "rabbitmq"), ("backlog", "rabbitmq"),
        ("many", "warren")}


@dataclasses.dataclass
class Line:
    row: str
    figure: str
    title: str
    unit: str
    goal: float | None = None
    more_is_better: bool = True


LINES = [
    Line("transient-12", "rate", "transient, auto-ack, 12 B, delivered", "/s", 1e6),
    Line("transient-1k", "rate", "the same, 1 KiB", "/s", 700e3),
    Line("transient-64k", "rate", "the same, 64 KiB", "/s", 50e3),
    Line("persistent-16", "rate", "persistent, confirms (window 1000), manual ack, 16 B", "/s",
         400e3),
    Line("persistent-1k", "rate", "the same, 1 KiB", "/s", 250e3),
    Line("persistent-latency", "p50", "persistent, confirmed, 1,000/s: confirm p50", "ms", 0.2,
         False),
    Line("persistent-latency", "p99", "the same: p99", "ms", 1, False),
    Line("transient-latency", "p50", "transient, 1,000/s: end to end p50", "ms", 0.06, False),
    Line("transient-latency", "p99", "the same: p99", "ms", 0.2, False),
    Line("ten-queues", "rate", "10 queues, 10 producers, 10 consumers, 12 B, delivered", "/s",
         1e6),
    Line("ten-queues", "published over delivered", "the same: published for one delivered", "",
         None, False),
    Line("fanout", "rate", "fanout to 10 queues, 12 B, delivered", "/s", 2.5e6),
    Line("bindings", "rate", "topic exchange, 100,000 bindings, 12 B, delivered", "/s", 700e3),
    Line("backlog", "fill", "backlog of 1,000,000 x 1 KiB persistent: fill", "/s", 250e3),
    Line("backlog", "memory", "the same: memory when full", "MiB", 200, False),
    Line("backlog", "drain", "the same: drain, after a restart", "/s", 400e3),
    Line("backlog", "restart", "restart with that backlog, to AMQP answering", "s", 0.5, False),
    Line("many-queues", "declare", "10,000 durable queues: declare", "/s", 20e3),
    Line("many-queues", "memory", "the same: memory of each", "KiB", 4, False),
    Line("many-queues", "restart", "the same: restart to AMQP answering", "s", 0.5, False),
    Line("bindings", "bindings", "binding", "/s", 20e3),
    Line("bindings", "delete seconds", "deleting an exchange with 100,000 bindings", "s", 1,
         False),
    Line("many", "declare", "100,000 durable queues: declare", "/s", 20e3),
    Line("many", "queue memory", "the same: memory of each", "KiB", 4, False),
    Line("many", "restart queues", "the same: restart to AMQP answering", "s", None, False),
    Line("many", "bind", "1,000,000 durable bindings besides", "/s", 20e3),
    Line("many", "binding memory", "the same: memory of each", "octets", None, False),
    Line("many", "restart", "the same: restart to AMQP answering", "s", None, False),
    Line("many", "idle cpu", "the same: CPU while idle", "% of a core", None, False),
    Line("many", "connection memory", "10,000 connections with a channel besides: memory of each",
         "KiB", 4, False),
    Line("many", "connections idle cpu", "the same: CPU while idle", "% of a core", None, False),
    Line("start", "start", "start to AMQP answering", "ms", 50, False),
    Line("start", "memory", "idle memory", "MiB", 20, False),
    Line("idle", "memory", "an idle connection with a channel", "KiB", 4, False),
    Line("cluster", "rate", "three nodes, mirrored, 1 KiB, persistent, confirms, manual ack",
         "/s", 100e3),
    Line("failover", "gap", "kill -9 of the leader to the next confirm", "ms", 100, False),
]
