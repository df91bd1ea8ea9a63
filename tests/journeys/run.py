"""Runs the journeys and ends on a line that counts them.

Usage: run.py [--jobs N] [PATTERN...]

Only modules or tests whose name holds one of the patterns; N modules at a time. Journeys mostly
wait, so two at a time take hardly longer than one.
"""

import concurrent.futures
import pathlib
import re
import signal
import subprocess
import sys
import time
import unittest

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER))

from harness import SLOWNESS  # noqa: E402  (the folder has to be known first)

# A test that hangs fails here, and still cleans up what it started.
LONGEST_S = int(150 * SLOWNESS)


def on_alarm(_signal, _frame):
    raise AssertionError(f"the test did not end within {LONGEST_S} s")


class Results(unittest.TextTestResult):
    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()
        signal.alarm(LONGEST_S)
        print(f"-- {test.id()}", flush=True)

    def stopTest(self, test):
        super().stopTest(test)
        signal.alarm(0)
        print(f"   {time.monotonic() - self.began:.1f} s", flush=True)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        print(f"   skipped: {reason}", flush=True)


def tests_of(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from tests_of(item)
        else:
            yield item


def run_here(patterns):
    signal.signal(signal.SIGALRM, on_alarm)
    found = unittest.defaultTestLoader.discover(str(FOLDER), pattern="*_test.py")
    tests = [test for test in tests_of(found)
             if not patterns or any(pattern in test.id() for pattern in patterns)]
    result = unittest.TextTestRunner(stream=sys.stdout, resultclass=Results, verbosity=0).run(
        unittest.TestSuite(tests))
    bad = len(result.failures) + len(result.errors)
    skipped = len(result.skipped)
    return result.testsRun - bad - skipped, bad, skipped


def run_module(path):
    """Runs one module in a process of its own; gives its output and counts."""
    done = subprocess.run([sys.executable, __file__, f"{path.stem}."], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    counts = re.search(r"^journeys: (\d+) passed, (\d+) failed, (\d+) skipped$", done.stdout, re.M)
    body = re.sub(r"^journeys: .*\n", "", done.stdout, flags=re.M)
    print(body, end="", flush=True)
    return tuple(int(count) for count in counts.groups()) if counts else (0, 1, 0)


def run_modules(jobs):
    # The largest first, so that none is left over at the end.
    modules = sorted(FOLDER.glob("*_test.py"), key=lambda path: -path.stat().st_size)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        counts = list(pool.map(run_module, modules))
    return tuple(sum(column) for column in zip(*counts))


def main():
    arguments = sys.argv[1:]
    if arguments[:1] == ["--jobs"]:
        passed, bad, skipped = run_modules(int(arguments[1]))
    else:
        passed, bad, skipped = run_here(arguments)
    print(f"journeys: {passed} passed, {bad} failed, {skipped} skipped")
    return 1 if bad or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
