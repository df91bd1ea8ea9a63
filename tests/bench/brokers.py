"""Starts and stops Warren and Debian's RabbitMQ side by side, each in a home of its own.

Both are started the same way: the same environment, the same plugin, loopback only, ports above
20000, a name service of their own. What was started is stopped, by process id."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
WARREN_BIN = pathlib.Path(os.environ.get("WARREN_BIN", ROOT / "build/release/bin")).resolve()
RABBIT_BIN = pathlib.Path("/usr/lib/rabbitmq/bin")
FIRST_PORT = 24000
POLL_SECONDS = 0.001


class BenchError(Exception):
    """A run that did not come to its end; the text says why."""


def free_ports(count):
    """The first of `count` ports in a row that nobody listens on."""
    for first in range(FIRST_PORT, 32000, count):
        with contextlib.ExitStack() as stack:
            try:
                for port in range(first, first + count):
                    probe = stack.enter_context(socket.socket())
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(("127.0.0.1", port))
                return first
            except OSError:
                continue
    raise BenchError("no free ports")


def answers_amqp(port):
    """A broker there says connection.start."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as client:
        client.settimeout(5)
        client.sendall(b"AMQP\0\0\x09\x01")
        return client.recv(1) == b"\x01"
    return False


def is_alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(check, seconds, what):
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            raise BenchError(f"{what}: not within {seconds} s")
        time.sleep(POLL_SECONDS)


def resident_mib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise BenchError(f"process {pid} is gone")


class Broker:
    """A node, or a cluster of three. A context manager; `start` may be called again after
    `stop`, with the data that was left."""

    def __init__(self, kind, nodes=1):
        self.kind = kind  # "warren" or "rabbitmq"
        self.bin = WARREN_BIN if kind == "warren" else RABBIT_BIN
        base = ROOT / "build/bench"
        base.mkdir(parents=True, exist_ok=True)
        self.home = pathlib.Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=base))
        # A client's port, a node's port and a management port for each node; the name service.
        first = free_ports(3 * nodes + 1)
        self.ports = [first + i for i in range(nodes)]
        self.link_ports = [first + nodes + i for i in range(nodes)]
        self.http_ports = [first + 2 * nodes + i for i in range(nodes)]
        self.names = [f"bench{i + 1}@localhost" for i in range(nodes)]
        self.environment = {
            key: value for key, value in os.environ.items() if not key.startswith("RABBITMQ_")
        } | {
            "HOME": str(self.home),
            "RABBITMQ_MNESIA_BASE": str(self.home / "data"),
            "RABBITMQ_LOG_BASE": str(self.home / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.home / "enabled_plugins"),
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_CONFIG_FILE": str(self.home / "rabbitmq.conf"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_PORT": str(first + 3 * nodes),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "PATH": f"{self.bin}:{os.environ.get('PATH', '')}:/usr/sbin",
        }
        (self.home / "enabled_plugins").write_text("[rabbitmq_management].\n")
        (self.home / "rabbitmq.conf").write_text("heartbeat = 0\n")
        self.children = []
        self.seen_pids = set()

    def __enter__(self):
        try:
            self.epmd = subprocess.Popen(
                ["epmd", "-port", self.environment["ERL_EPMD_PORT"], "-address", "127.0.0.1"],
                env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.children.append(self.epmd)
            self.start_seconds = self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        self.note_pids()
        for pid in self.seen_pids:
            with contextlib.suppress(ProcessLookupError):
                if is_alive(pid):
                    os.kill(pid, signal.SIGKILL)
        for child in reversed(self.children):
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
        shutil.rmtree(self.home, ignore_errors=True)

    def node_environment(self, index):
        return self.environment | {
            "RABBITMQ_NODENAME": self.names[index],
            "RABBITMQ_NODE_PORT": str(self.ports[index]),
            "RABBITMQ_DIST_PORT": str(self.link_ports[index]),
            "RABBITMQ_SERVER_START_ARGS":
                f"-rabbitmq_management listener [{{port,{self.http_ports[index]}}}]",
        }

    def launch(self, index):
        with open(self.home / f"out-{index}", "ab") as output:
            self.children.append(subprocess.Popen(
                [str(self.bin / "rabbitmq-server")], env=self.node_environment(index),
                stdin=subprocess.DEVNULL, stdout=output, stderr=output))

    def start(self):
        """Starts every node at once; the seconds until all answer AMQP. Nodes are then made a
        cluster where they are none yet."""
        is_first = not (self.home / "data").exists()
        began = time.monotonic()
        for index in range(len(self.ports)):
            self.launch(index)
        for port in self.ports:
            wait_until(lambda p=port: answers_amqp(p), 300, f"{self.kind} answering AMQP")
        seconds = time.monotonic() - began
        wait_until(lambda: all(self.pids()), 10, "pid files")
        self.note_pids()
        if is_first and len(self.ports) > 1:
            self.join()
        return seconds

    def join(self):
        for index in range(len(self.ports)):
            self.ctl(index, "await_startup")
        for index in range(1, len(self.ports)):
            self.ctl(index, "stop_app")
            self.ctl(index, "join_cluster", self.names[0])
            self.ctl(index, "start_app")
        for index in range(len(self.ports)):
            self.ctl(index, "await_startup")
        self.ctl(0, "set_policy", "bench", "^perf", '{"ha-mode":"all"}', "--apply-to", "queues")

    def ctl(self, index, *arguments):
        done = subprocess.run(
            [str(self.bin / "rabbitmqctl"), "-n", self.names[index], *arguments],
            env=self.node_environment(index), stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=120, check=False)
        if done.returncode != 0:
            raise BenchError(f"{self.kind}: rabbitmqctl {' '.join(arguments)}: "
                             f"{done.stdout}{done.stderr}")
        return done.stdout

    def pid(self, index):
        try:
            return int((self.home / "data" / f"{self.names[index]}.pid").read_text())
        except (FileNotFoundError, ValueError):
            return None

    def pids(self):
        return [self.pid(index) for index in range(len(self.ports))]

    def note_pids(self):
        self.seen_pids.update(pid for pid in self.pids() if pid)

    def uri(self, index=0):
        return f"amqp://127.0.0.1:{self.ports[index]}"

    def stop(self):
        """Orderly, and waits for the end."""
        pids = self.pids()
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not any(map(is_alive, pids)), 120, f"the end of {self.kind}")

    def kill(self, index):
        os.kill(self.pid(index), signal.SIGKILL)

    def last_words(self):
        """The end of what the nodes printed and logged, for errors."""
        texts = []
        for path in [*self.home.glob("out-*"), *self.home.glob("log/*.log")]:
            texts.append(f"{path.name}: " + path.read_text(errors="replace")[-1500:])
        return "\n".join(texts)
