"""What an application written with Celery does, against the broker at HOST PORT: a worker with late
acknowledgements runs tasks, results come back over the broker.

Prints a line for each step that went well; ends with 0, or with a traceback and 1.
"""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

os.environ["JOURNEY_BROKER"] = f"pyamqp://guest:guest@{sys.argv[1]}:{sys.argv[2]}//"

from celery import chain, group  # noqa: E402  (the address has to be known first)
from tasks import add, app, fail_twice, refuse, stall_at_first, touch  # noqa: E402

FOLDER = pathlib.Path(__file__).resolve().parent
CELERY = [sys.executable, "-m", "celery", "--quiet", "--app", "tasks"]


def ok(step):
    print(f"ok: {step}", flush=True)


class Worker:
    """A worker process with its children; ends with the block."""

    def __enter__(self):
        self.process = subprocess.Popen(
            [*CELERY, "worker", "--task-events", "--loglevel", "CRITICAL"], cwd=FOLDER,
            stdin=subprocess.DEVNULL, stdout=sys.stderr, stderr=sys.stderr, start_new_session=True)
        return self

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def stop(self):
        """The warm shutdown, after the tasks in hand. Asked for over the broker: a SIGTERM ends the
        worker's loop wherever it is, and when that is within a read of a frame or of a child's
        answer, what comes after is read out of step and the worker never ends."""
        app.control.shutdown()
        assert self.process.wait() == 0


def await_file(path):
    while not path.exists():
        time.sleep(0.02)


def inspect():
    """The command line asks every worker by a broadcast, with a reply queue of its own."""
    while not app.control.ping(timeout=0.2):
        pass
    done = subprocess.run([*CELERY, "inspect", "ping"], cwd=FOLDER, text=True, check=False,
                          stdin=subprocess.DEVNULL, capture_output=True)
    assert done.returncode == 0 and "pong" in done.stdout, done
    queues, = app.control.inspect().active_queues().values()
    assert [queue["name"] for queue in queues] == ["celery.journey"], queues
    ok("inspect")


def results():
    assert add.delay(2, 3).get() == 5
    refused = refuse.delay()
    error = refused.get(propagate=False)
    assert refused.failed() and str(error) == "not this one", error
    ok("results")


def retry():
    assert fail_twice.delay().get() == 2
    ok("retry")


def countdown():
    began = time.monotonic()
    assert add.apply_async((1, 1), countdown=0.5).get() == 2
    assert time.monotonic() - began >= 0.5
    ok("countdown")


def groups():
    assert group(add.s(number, number) for number in range(20))().get() == list(range(0, 40, 2))
    assert chain(add.s(1, 2), add.s(3), add.s(4))().get() == 10
    ok("group and chain")


def events():
    """A monitor hears of every task, from an exchange that the workers publish events to."""
    heard = threading.Event()
    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection, handlers={
            "task-succeeded": lambda event: heard.set()})
        with receiver.consumer_context() as (listening, _, _):
            assert add.delay(4, 4).get() == 8
            while not heard.is_set():
                listening.drain_events()
    ok("events")


def late_acknowledgement(folder):
    """A task whose worker is killed is not lost; another worker gets it."""
    mark = folder / "stalled"
    with Worker() as victim:
        result = stall_at_first.delay(str(mark))
        await_file(mark)
        victim.kill()
    with Worker() as other:
        assert result.get() is True
        other.stop()
    ok("late acknowledgement")


def recovery(folder):
    """The worker connects again by itself, and so does the publisher."""
    with Worker() as worker, app.connection_for_read() as connection:
        touch.delay(str(folder / "before"))
        await_file(folder / "before")
        connection.connect()
        print("restart the broker", flush=True)
        try:
            while True:
                connection.drain_events()
        except connection.recoverable_connection_errors:
            connection.ensure_connection(interval_start=0.05, interval_step=0.05)
        touch.delay(str(folder / "after"))
        await_file(folder / "after")
        worker.stop()
        app.amqp.queues["celery.journey"](connection).delete()
    ok("recovery")


def main():
    with Worker() as worker:
        for step in inspect, results, retry, countdown, groups, events:
            step()
        worker.stop()
    with tempfile.TemporaryDirectory() as folder:
        late_acknowledgement(pathlib.Path(folder))
        recovery(pathlib.Path(folder))


if __name__ == "__main__":
    main()
