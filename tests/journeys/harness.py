"""Runs brokers the way a user runs them: the commands of a build, in a home of their own.

Everything listens on loopback, on ports that were free a moment ago. What a test started it stops,
by process id, also when it fails; on failure the nodes' logs are kept and their place is printed.
"""

import base64
import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BIN = pathlib.Path(os.environ.get("WARREN_BIN", ROOT / "build/release/bin")).resolve()
HOST = socket.gethostname().split(".")[0]
# A broker with sanitizers is several times slower; deadlines stretch, expectations do not.
SLOWNESS = float(os.environ.get("WARREN_SLOWNESS", "1"))
# In the environment of everything that a journey starts, so that it is found again.
MARK = "WARREN_JOURNEY"


def wait_until(check, seconds=10, what="the condition"):
    """Calls `check` until it gives something true, and returns that."""
    deadline = time.monotonic() + seconds * SLOWNESS
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {seconds * SLOWNESS:g} s")
        time.sleep(0.02)


# Ports for one cluster: AMQP, HTTP and the like from FIRST_PORT on, and 20000 above for the nodes'
# links; all below the range that the kernel gives to clients.
FIRST_PORT = 5800
PORTS_A_SLOT = 20
SLOTS = 150


class PortSlot:
    """A range of ports that no other journey uses, also of those that run at the same time."""

    def __init__(self):
        for number in range(SLOTS):
            self.lock = open(f"{tempfile.gettempdir()}/warren-journey-ports-{number}", "w")
            try:
                fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self.first = FIRST_PORT + number * PORTS_A_SLOT
                if self.is_free():
                    return
            except OSError:
                pass
            self.lock.close()
        raise AssertionError("no free ports")

    def is_free(self):
        with contextlib.ExitStack() as stack:
            for port in range(self.first, self.first + PORTS_A_SLOT):
                for each in (port, port + 20000):
                    probe = stack.enter_context(socket.socket())
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    try:
                        probe.bind(("127.0.0.1", each))
                    except OSError:
                        return False
        return True

    def release(self):
        self.lock.close()


class Result:
    def __init__(self, process):
        self.code = process.returncode
        self.out = process.stdout
        self.err = process.stderr

    def __repr__(self):
        return f"exit {self.code}\n--stdout--\n{self.out}\n--stderr--\n{self.err}"


class Node:
    def __init__(self, cluster, name, port, http_port):
        self.cluster = cluster
        self.name = name
        self.full_name = f"{name}@{HOST}"
        self.port = port
        self.http_port = http_port
        self.variables = {}  # of this node alone

    @property
    def pid_file(self):
        return self.cluster.data / f"{self.full_name}.pid"

    @property
    def pid(self):
        try:
            return int(self.pid_file.read_text())
        except (FileNotFoundError, ValueError):
            return None

    def environment(self):
        return self.cluster.environment | {
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_SERVER_START_ARGS":
                f"-rabbitmq_management listener [{{port,{self.http_port}}}]",
            "RABBITMQ_NODENAME": self.name,
        } | self.variables

    def launch(self):
        """rabbitmq-server -detached, without waiting for anything."""
        return self.cluster.run("rabbitmq-server", "-detached", env=self.environment())

    def start(self, seconds=30):
        launched = self.launch()
        assert launched.code == 0, launched
        self.await_running(seconds)
        return self

    def await_running(self, seconds=30):
        wait_until(lambda: self.ctl("await_startup", "--timeout", "5").code == 0, seconds,
                   f"{self.name} running")

    def ctl(self, *arguments, **options):
        return self.cluster.run("rabbitmqctl", "-n", self.name, *arguments, **options)

    def plugins(self, *arguments):
        return self.cluster.run("rabbitmq-plugins", "-n", self.name, *arguments,
                                env=self.environment())

    def must(self, *arguments):
        result = self.ctl(*arguments)
        assert result.code == 0, f"rabbitmqctl -n {self.name} {' '.join(arguments)}: {result}"
        return result.out

    def json(self, *arguments):
        return json.loads(self.must("-q", *arguments, "--formatter", "json"))

    def queues(self, *columns):
        rows = self.json("list_queues", "name", *columns)
        return {row["name"]: row for row in rows}

    def running_nodes(self):
        return sorted(self.json("cluster_status")["running_nodes"])

    def disk_nodes(self):
        return sorted(self.json("cluster_status")["disk_nodes"])

    def stop(self):
        """rabbitmqctl stop, and waits until the process is gone."""
        pid = self.pid
        self.must("stop")
        wait_until(lambda: not is_alive(pid), 10, f"the end of {self.name}")

    def kill(self):
        """kill -9, and waits until the process is gone."""
        self.cluster.kill([self])

    def http(self, path, method="GET", body=None, user="guest:guest"):
        request = urllib.request.Request(f"http://127.0.0.1:{self.http_port}{path}", method=method)
        request.add_header("Authorization",
                           "Basic " + base64.b64encode(user.encode()).decode())
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, data, timeout=10 * SLOWNESS) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            text = error.read()
            return error.code, json.loads(text) if text else None

    def log(self):
        path = self.cluster.logs / f"{self.full_name}.log"
        return path.read_text(errors="replace") if path.exists() else ""


def is_alive(pid):
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        return state != "Z"
    except FileNotFoundError:
        return False


class Cluster:
    """A home for nodes named rabbit1, rabbit2...; a context manager that cleans up.

    The nodes have a name service of their own, so that they never meet those of another run."""

    def __init__(self, nodes=3, *, prefix="rabbit", plugins="[rabbitmq_management].\n", conf=""):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="warren-journey-"))
        self.data = self.home / "data"
        self.logs = self.home / "log"
        self.environment = {
            key: value for key, value in os.environ.items() if not key.startswith("RABBITMQ_")
        } | {
            "HOME": str(self.home),
            "RABBITMQ_MNESIA_BASE": str(self.data),
            "RABBITMQ_LOG_BASE": str(self.logs),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.home / "enabled_plugins"),
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "PATH": f"{BIN}:{os.environ.get('PATH', '')}:/usr/sbin",
            MARK: str(self.home),
        }
        if plugins:
            (self.home / "enabled_plugins").write_text(plugins)
        if conf:
            (self.home / "rabbitmq.conf").write_text(conf)
            self.environment["RABBITMQ_CONFIG_FILE"] = str(self.home / "rabbitmq.conf")
        assert 2 * nodes + 3 <= PORTS_A_SLOT
        self.slot = PortSlot()
        first = self.slot.first
        self.nodes = [Node(self, f"{prefix}{i + 1}", first + i, first + nodes + i)
                      for i in range(nodes)]
        self.proxy_port = first + 2 * nodes
        self.environment["ERL_EPMD_PORT"] = str(first + 2 * nodes + 1)
        self.spare_port = first + 2 * nodes + 2
        self.processes = []
        self.failed = False

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.failed = kind is not None
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        for sign in signal.SIGTERM, signal.SIGKILL:
            for pid in self.processes_left():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, sign)
            deadline = time.monotonic() + 15 * SLOWNESS
            while self.processes_left() and time.monotonic() < deadline:
                time.sleep(0.02)
        self.slot.release()
        if self.failed:
            print(f"logs and data of the failed journey: {self.home}")
        else:
            shutil.rmtree(self.home, ignore_errors=True)

    def __getitem__(self, index):
        """The node rabbit<index>."""
        return self.nodes[index - 1]

    def run(self, program, *arguments, env=None, timeout=120, stdin=subprocess.DEVNULL):
        return Result(subprocess.run([str(BIN / program), *arguments], env=env or self.environment,
                                     stdin=stdin, capture_output=True, text=True,
                                     timeout=timeout * SLOWNESS, check=False))

    def processes_left(self):
        """What was started in this home and still runs: nodes and their name service."""
        mark = f"{MARK}={self.home}".encode()
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and is_alive(int(entry.name)) and \
                        mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
        return found

    def kill(self, nodes):
        """kill -9 of several nodes at once."""
        pids = [node.pid for node in nodes]
        assert all(pids), f"a pid file is missing: {pids}"
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(map(is_alive, pids)), 10, f"the end of processes {pids}")

    def start_all(self):
        for node in self.nodes:
            launched = node.launch()
            assert launched.code == 0, launched
        for node in self.nodes:
            node.await_running()
        return self

    def join_all(self, *, to=1):
        for node in self.nodes:
            if node is self[to]:
                continue
            node.must("stop_app")
            node.must("join_cluster", self[to].full_name)
            node.must("start_app")
        self.await_all()
        return self

    def await_all(self, seconds=20):
        """Until every node sees every node running."""
        everybody = sorted(node.full_name for node in self.nodes)
        for node in self.nodes:
            wait_until(lambda n=node: n.running_nodes() == everybody, seconds,
                       f"all nodes running in the eyes of {node.name}")

    def mirror(self, pattern="^cluster", definition='{"ha-mode":"all"}'):
        self[1].must("set_policy", "act-policy", pattern, definition)
        return self

    def start_haproxy(self, *, as_documented=False):
        """The balancer, with quicker checks than the user document has, or just as it has them."""
        check = "check inter 5000 rise 2 fall 3" if as_documented else \
            "check inter 200 rise 2 fall 2 on-marked-down shutdown-sessions"
        defaults = "" if as_documented else """defaults
  timeout connect 2s
  timeout client 1h
  timeout server 1h
  option redispatch
  retries 3
"""
        servers = "\n".join(f"  server {node.name} 127.0.0.1:{node.port} {check}"
                            for node in self.nodes)
        config = self.home / "haproxy.cfg"
        config.write_text(f"""{defaults}
listen rabbitmq_local_cluster
  bind 127.0.0.1:{self.proxy_port}
  mode tcp
  balance roundrobin
{servers}
""")
        program = shutil.which("haproxy", path=self.environment["PATH"])
        assert program, "haproxy is not installed: run tools/setup test"
        self.processes.append(subprocess.Popen([program, "-f", str(config)],
                                               stdout=subprocess.DEVNULL,
                                               stderr=subprocess.DEVNULL))
        wait_until(lambda: is_open(self.proxy_port), 10, "haproxy listening")
        return self


def is_open(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
