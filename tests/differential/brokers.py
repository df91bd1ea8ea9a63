"""A Warren node or a RabbitMQ node for the scenarios, alone and on loopback."""

import base64
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

from scenario import FOLDER

sys.path.insert(0, str(FOLDER.parent / "journeys"))
import harness  # noqa: E402  (the folder has to be known first)

PLUGINS = ["rabbitmq_management", "rabbitmq_consistent_hash_exchange", "rabbitmq_random_exchange",
           "rabbitmq_recent_history_exchange", "rabbitmq_sharding"]
PLUGINS_FILE = f"[{','.join(PLUGINS)}].\n"


class Broker:
    """What both have: a port for AMQP, one for HTTP, and rabbitmqctl."""

    def put(self, path, body):
        request = urllib.request.Request(f"http://127.0.0.1:{self.http_port}/api/{path}",
                                         json.dumps(body).encode(), method="PUT")
        request.add_header("Authorization", "Basic " + base64.b64encode(b"guest:guest").decode())
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=60):
            pass

    def make_vhost(self, name):
        self.put(f"vhosts/{name}", {})
        self.put(f"permissions/{name}/guest", {"configure": ".*", "write": ".*", "read": ".*"})


class Warren(Broker):
    threads = 32
    command_threads = 8
    quiet_s = 0.25 * harness.SLOWNESS  # how long nothing may come for "nothing more comes"

    def __enter__(self):
        self.cluster = harness.Cluster(1, prefix="warren", plugins=PLUGINS_FILE)
        node = self.cluster[1].start()
        self.port, self.http_port, self.log = node.port, node.http_port, node.log
        self.ctl_code = lambda *arguments: node.ctl(*arguments).code
        return self

    def __exit__(self, *error):
        self.cluster.__exit__(None, None, None)

    def ctl(self, *arguments):
        return self.ctl_code(*arguments)


class RabbitMQ(Broker):
    """Debian's, in a home of its own under /tmp, with a name service of its own."""

    threads = 12
    command_threads = 2
    quiet_s = 0.6
    scripts = pathlib.Path("/usr/lib/rabbitmq/bin")

    def __init__(self):
        assert (self.scripts / "rabbitmq-server").exists(), \
            "rabbitmq-server is not installed: apt-get install rabbitmq-server"
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="rabbitmq-differential-"))
        self.port, self.http_port, dist_port, self.epmd_port = harness_ports(4)
        (self.home / "enabled_plugins").write_text(PLUGINS_FILE)
        (self.home / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\nmanagement.tcp.ip = 127.0.0.1\n"
            f"management.tcp.port = {self.http_port}\ndisk_free_limit.absolute = 1MB\n"
            "log.console = false\n")
        only_loopback = "-kernel inet_dist_use_interface {127,0,0,1}"
        self.environment = {
            key: value for key, value in os.environ.items() if not key.startswith("RABBITMQ_")
        } | {
            "HOME": str(self.home),
            "RABBITMQ_NODENAME": f"rabbit@{harness.HOST}",
            "RABBITMQ_MNESIA_BASE": str(self.home / "data"),
            "RABBITMQ_LOG_BASE": str(self.home / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.home / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(self.home / "rabbitmq.conf"),
            "RABBITMQ_PID_FILE": str(self.home / "pid"),
            "RABBITMQ_DIST_PORT": str(dist_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": only_loopback,
            "ERL_EPMD_PORT": str(self.epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }

    def __enter__(self):
        # A name service of its own; the server would start one in the background else.
        self.epmd = subprocess.Popen(["epmd"], env=self.environment, stdin=subprocess.DEVNULL,
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        harness.wait_until(lambda: harness.is_open(self.epmd_port), 10, "epmd listening")
        self.process = subprocess.Popen(
            [self.scripts / "rabbitmq-server"], env=self.environment, cwd=self.home,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True)
        deadline = time.monotonic() + 120
        while not (harness.is_open(self.port) and harness.is_open(self.http_port)):
            assert self.process.poll() is None and time.monotonic() < deadline, \
                f"RabbitMQ did not start; see {self.home}/log"
            time.sleep(0.2)
        return self

    def __exit__(self, *error):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.epmd.terminate()
        self.epmd.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    def ctl(self, *arguments):
        return subprocess.run([self.scripts / "rabbitmqctl", *arguments], env=self.environment,
                              cwd=self.home, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=120, check=False).returncode

    def log(self):
        return "".join(path.read_text(errors="replace")
                       for path in sorted((self.home / "log").glob("rabbit@*.log")))


def harness_ports(count):
    """Free ports above 20000, below those that the kernel gives to clients."""
    slot = harness.PortSlot()
    first = slot.first + 20000
    slot.release()
    return range(first, first + count)


BROKERS = {"warren": Warren, "rabbitmq": RabbitMQ}
