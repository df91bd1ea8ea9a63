"""A disk that fills up: publishers wait, the node lives, consumers go on, and nothing that was
confirmed is lost."""

import pathlib
import shutil
import subprocess
import unittest

from amqp import Consumer, Stream, connect
from harness import SLOWNESS, Cluster, wait_until

DISK_MIB = 224
BODY = 100_000


class SmallDisk:
    """A file system of DISK_MIB at a folder that is made for it."""

    def __init__(self, folder):
        self.folder, self.filler = folder, folder / "filler"
        folder.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", folder],
            capture_output=True, text=True, check=False)
        if mounted.returncode != 0:
            raise unittest.SkipTest(f"a small disk can't be mounted here: {mounted.stderr.strip()}")

    def fill(self):
        with open(self.filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(65536))
            except OSError:
                pass

    def clear(self):
        self.filler.unlink()

    def unmount(self):
        subprocess.run(["umount", self.folder], check=True)


class DiskFull(unittest.TestCase):
    def setUp(self):
        # No alarm by the limit: what is tested is what happens when the disk is full before it.
        self.cluster = Cluster(1, conf="disk_free_limit.absolute = 1\nmessage_memory = 8MiB\n")
        self.addCleanup(shutil.rmtree, self.cluster.home, ignore_errors=True)
        self.disk = SmallDisk(pathlib.Path(self.cluster.data))
        self.addCleanup(self.disk.unmount)
        self.addCleanup(lambda: self.cluster.__exit__(None, None, None))
        self.node = self.cluster.start_all()[1]
        connection = connect(self.node.port)
        connection.channel().queue_declare("q", durable=True)
        connection.close()

    def alarm(self):
        return "Free disk space alarm" in self.node.must("status")

    def test_publishers_wait_until_there_is_room_and_consumers_go_on(self):
        stream = Stream(self.node.port, "q", size=BODY)
        stream.start()
        wait_until(self.alarm, 60 * SLOWNESS, "the disk alarm")
        self.disk.fill()
        pid = self.node.pid
        held = set(stream.confirmed)
        self.assertGreater(len(held), 100)

        consumer = Consumer(self.node.port, "q").start()
        wait_until(lambda: held <= {int(body) for body in consumer.bodies()}, 60 * SLOWNESS,
                   "everything confirmed is consumed on a full disk")
        # What is consumed makes room as well, so the alarm may be over by now.
        self.assertIsNone(stream.error)

        self.disk.clear()
        wait_until(lambda: not self.alarm(), 60 * SLOWNESS, "the end of the alarm")
        wait_until(lambda: len(stream.confirmed) > len(held) + 500, 60 * SLOWNESS,
                   "publishing goes on")
        stream.stop()
        self.assertIsNone(stream.error)
        wait_until(lambda: stream.confirmed <= {int(body) for body in consumer.bodies()},
                   60 * SLOWNESS, "all the rest is consumed")
        consumer.stop()
        self.assertEqual(self.node.pid, pid)
        self.assertFalse(stream.nacked)
        self.assertIn("Publishers will be blocked", self.node.log())

    def test_a_kill_on_a_full_disk_loses_nothing(self):
        stream = Stream(self.node.port, "q", size=BODY)
        stream.start()
        wait_until(self.alarm, 60 * SLOWNESS, "the disk alarm")
        self.disk.fill()
        self.node.kill()
        stream.join(30 * SLOWNESS)
        self.disk.clear()
        self.node.start()
        consumer = Consumer(self.node.port, "q").start()
        wait_until(lambda: stream.confirmed <= {int(body) for body in consumer.bodies()},
                   60 * SLOWNESS, "everything confirmed is there")
        consumer.stop()


if __name__ == "__main__":
    unittest.main()
