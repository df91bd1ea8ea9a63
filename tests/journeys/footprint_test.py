"""What an idle node costs."""

import os
import pathlib
import time
import unittest

from harness import BIN, SLOWNESS, Cluster

LIMIT_MB = 30


class Footprint(unittest.TestCase):
    def test_an_idle_node_stays_under_30_mb(self):
        with Cluster(1) as cluster:
            began = time.monotonic()
            node = cluster[1].start()
            started = time.monotonic() - began
            status = pathlib.Path(f"/proc/{node.pid}/status").read_text()
            resident = next(int(line.split()[1]) / 1024 for line in status.splitlines()
                            if line.startswith("VmRSS:"))
            print(f"  up in {started * 1000:.0f} ms, {resident:.1f} MB resident")
        if SLOWNESS > 1 or b"__asan_init" in pathlib.Path(
                os.path.realpath(BIN / "rabbitmq-server")).read_bytes():
            self.skipTest("memory is not judged on a build with sanitizers")
        self.assertLess(resident, LIMIT_MB)


if __name__ == "__main__":
    unittest.main()
