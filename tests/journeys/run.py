"""Runs the journeys, a module at a time, and ends on a line that counts them.

Usage: run.py [PATTERN...]   only modules or tests whose name holds one of the patterns
"""

import pathlib
import signal
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


def main():
    signal.signal(signal.SIGALRM, on_alarm)
    patterns = sys.argv[1:]
    found = unittest.defaultTestLoader.discover(str(FOLDER), pattern="*_test.py")
    tests = [test for test in tests_of(found)
             if not patterns or any(pattern in test.id() for pattern in patterns)]
    result = unittest.TextTestRunner(stream=sys.stdout, resultclass=Results, verbosity=0).run(
        unittest.TestSuite(tests))
    bad = len(result.failures) + len(result.errors)
    skipped = len(result.skipped)
    passed = result.testsRun - bad - skipped
    print(f"journeys: {passed} passed, {bad} failed, {skipped} skipped")
    return 1 if bad or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
