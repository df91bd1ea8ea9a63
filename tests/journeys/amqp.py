"""What the journeys need of pika: connections, pipelined confirms, and consumers that count."""

import threading
import time

import pika
import pika.exceptions

from harness import SLOWNESS

PERSISTENT = pika.BasicProperties(delivery_mode=2)
BROKEN = (pika.exceptions.AMQPError, OSError)


def parameters(port, user="guest", password="guest", vhost="/", heartbeat=30):
    return pika.ConnectionParameters(
        "127.0.0.1", port, vhost, pika.PlainCredentials(user, password), heartbeat=heartbeat,
        connection_attempts=1, socket_timeout=10 * SLOWNESS,
        blocked_connection_timeout=60 * SLOWNESS)


def connect(port, **options):
    return pika.BlockingConnection(parameters(port, **options))


def drain(port, queue):
    """Takes what is in a queue, in order: (body, redelivered)."""
    connection = connect(port)
    channel = connection.channel()
    found = []
    while True:
        method, _, body = channel.basic_get(queue, auto_ack=True)
        if method is None:
            connection.close()
            return found
        found.append((body.decode(), method.redelivered))


def fill(port, queue, count, *, size=0, first=0):
    """Publishes "0", "1"... persistent, and returns when all are confirmed."""
    stream = Stream(port, queue, limit=first + count, first=first, size=size)
    stream.start()
    stream.join(120 * SLOWNESS)
    assert len(stream.confirmed) == count, f"{len(stream.confirmed)} of {count} confirmed: " \
                                           f"{stream.error}"


class Stream(threading.Thread):
    """Publishes numbers on one connection, up to `window` unconfirmed at a time, and notes which
    were confirmed. Ends at `limit`, at stop(), or when the connection breaks (then `error` is
    set)."""

    def __init__(self, port, queue, *, window=200, limit=None, first=0, size=0):
        super().__init__(daemon=True)
        self.queue, self.window, self.limit, self.size = queue, window, limit, size
        self.confirmed, self.nacked, self.unconfirmed = set(), set(), {}
        self.next, self.tag, self.error, self.stopping = first, 0, None, False
        self.longest = 0.0
        self.connection = pika.SelectConnection(
            parameters(port), on_open_callback=lambda c: c.channel(on_open_callback=self._opened),
            on_open_error_callback=self._ended, on_close_callback=self._ended)

    def run(self):
        self.connection.ioloop.start()

    def stop(self):
        """Publishes no more, waits for the outstanding confirms, and ends."""
        self.stopping = True
        self.connection.ioloop.add_callback_threadsafe(self._publish)
        self.join(60 * SLOWNESS)
        return self

    def _opened(self, channel):
        self.channel = channel
        channel.add_on_close_callback(lambda _, reason: self._fail(reason))
        channel.confirm_delivery(self._answered, callback=lambda _: self._publish())

    def _publish(self):
        while len(self.unconfirmed) < self.window and not self._is_done():
            self.tag += 1
            self.unconfirmed[self.tag] = (self.next, time.monotonic())
            self.channel.basic_publish("", self.queue, str(self.next).encode().ljust(self.size),
                                       PERSISTENT)
            self.next += 1
        if self._is_done() and not self.unconfirmed and self.connection.is_open:
            self.connection.close()

    def _is_done(self):
        return self.stopping or (self.limit is not None and self.next >= self.limit)

    def _answered(self, frame):
        method = frame.method
        tags = [tag for tag in self.unconfirmed if tag <= method.delivery_tag] \
            if method.multiple else [method.delivery_tag]
        into = self.confirmed if isinstance(method, pika.spec.Basic.Ack) else self.nacked
        for tag in tags:
            number, since = self.unconfirmed.pop(tag)
            into.add(number)
            self.longest = max(self.longest, time.monotonic() - since)
        self._publish()

    def _fail(self, reason):
        if not isinstance(reason, (pika.exceptions.ChannelClosedByClient,
                                   pika.exceptions.ConnectionClosedByClient)):
            self.error = self.error or reason

    def _ended(self, _, reason):
        self._fail(reason)
        self.connection.ioloop.stop()


class Consumer(threading.Thread):
    """Consumes on one connection until stop(), settles everything unless `ack` is False, and notes
    (body, redelivered). Ends early when the connection breaks (`error`) or the consumer is
    cancelled by the broker (`cancelled`)."""

    def __init__(self, port, queue, *, prefetch=100, ack=True, arguments=None):
        super().__init__(daemon=True)
        self.port, self.queue, self.prefetch = port, queue, prefetch
        self.ack, self.arguments = ack, arguments
        self.seen, self.error, self.cancelled = [], None, False
        self.ready, self.stopping = threading.Event(), False

    def run(self):
        try:
            connection = connect(self.port)
            channel = connection.channel()
            channel.basic_qos(prefetch_count=self.prefetch)
            channel.add_on_cancel_callback(self._on_cancel)
            channel.basic_consume(self.queue, self._on_message, arguments=self.arguments)
            self.ready.set()
            while not self.stopping:
                connection.process_data_events(time_limit=0.05)
            connection.close()
        except BROKEN as error:
            self.error = error
        self.ready.set()

    def start(self):
        super().start()
        assert self.ready.wait(30 * SLOWNESS), "the consumer has not begun"
        assert self.error is None, repr(self.error)
        return self

    def stop(self):
        self.stopping = True
        self.join(30 * SLOWNESS)
        return self

    def _on_cancel(self, _):
        self.cancelled = True

    def _on_message(self, channel, method, _, body):
        self.seen.append((body.decode().rstrip(), method.redelivered))
        if self.ack:
            channel.basic_ack(method.delivery_tag)

    def bodies(self):
        return [body for body, _ in self.seen]
