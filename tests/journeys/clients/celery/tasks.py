"""The tasks of journey.py, for its workers too."""

import os
import pathlib
import time

from celery import Celery

app = Celery("journey", broker=os.environ["JOURNEY_BROKER"], backend="rpc://")
app.conf.update(
    task_default_queue="celery.journey",
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_concurrency=2,
    worker_hijack_root_logger=False,
    worker_cancel_long_running_tasks_on_connection_loss=True,
    broker_heartbeat=5,
    broker_transport_options={"confirm_publish": True,
                              "client_properties": {"connection_name": "journey"}},
    result_persistent=False,
)


@app.task
def add(x, y):
    return x + y


@app.task(bind=True, max_retries=3)
def fail_twice(self):
    if self.request.retries < 2:
        raise self.retry(countdown=0.1)
    return self.request.retries


@app.task
def refuse():
    raise ValueError("not this one")


@app.task(ignore_result=True)
def touch(path):
    pathlib.Path(path).touch()


@app.task(bind=True)
def stall_at_first(self, mark):
    """Stands still for ever; when it is run again it tells whether it was redelivered."""
    if pathlib.Path(mark).exists():
        return self.request.delivery_info["redelivered"]
    pathlib.Path(mark).touch()
    while True:
        time.sleep(60)
