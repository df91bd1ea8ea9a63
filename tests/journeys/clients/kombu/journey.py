"""What an application written with kombu does, against the broker at HOST PORT.

Prints a line for each step that went well; ends with 0, or with a traceback and 1.
"""

import datetime
import queue
import sys
import threading

import amqp.exceptions
from kombu import Connection, Consumer, Exchange, Producer, Queue, uuid
from kombu.mixins import ConsumerMixin
from kombu.pools import producers

HOST, PORT = sys.argv[1], int(sys.argv[2])
COUNT = 500


def ok(step):
    print(f"ok: {step}", flush=True)


def connect(password="guest", confirm_publish=True):
    return Connection(
        f"pyamqp://guest:{password}@{HOST}:{PORT}//", heartbeat=5,
        transport_options={"confirm_publish": confirm_publish,
                           "client_properties": {"connection_name": "journey"}})


def private_queue(channel, **options):
    declared = Queue(uuid(), exclusive=True, auto_delete=True, durable=False, **options)(channel)
    declared.declare()
    return declared


def refused_password():
    try:
        connect(password="wrong").connect()
        raise AssertionError("a wrong password was taken")
    except amqp.exceptions.AccessRefused as error:
        assert error.code == 403, error
    ok("refused password")


def publish_and_consume(connection):
    """Published with confirms, consumed in order with a prefetch and manual acknowledgements."""
    orders = Queue("kombu.orders", Exchange("kombu.orders", "topic"), routing_key="order.#")
    with producers[connection].acquire(block=True) as producer:
        for number in range(COUNT):
            producer.publish({"number": number}, exchange=orders.exchange,
                             routing_key="order.new", declare=[orders], serializer="json")
    seen = []

    def receive(body, message):
        seen.append(body["number"])
        message.ack()

    with Consumer(connection, queues=[orders], callbacks=[receive], prefetch_count=20) as consumer:
        while len(seen) < COUNT:
            connection.drain_events()
        channel = consumer.channel
        assert seen == list(range(COUNT)), seen
        assert orders(channel).queue_declare(passive=True).message_count == 0
    with connection.channel() as channel:
        orders(channel).delete()
        orders.exchange(channel).delete()
    ok("publish and consume")


def requeue(connection):
    with connection.channel() as channel:
        again = private_queue(channel)
        Producer(channel).publish("again", routing_key=again.name)
        first = again.get()
        assert not first.delivery_info["redelivered"]
        first.requeue()
        second = again.get()
        assert second.delivery_info["redelivered"] and second.payload == "again"
        second.ack()
        assert again.get() is None
    ok("requeue")


def dead_letter(connection):
    with connection.channel() as channel:
        dead = private_queue(channel, exchange=Exchange(
            "kombu.dead", "fanout", durable=False, auto_delete=True))
        source = private_queue(
            channel, queue_arguments={"x-dead-letter-exchange": dead.exchange.name})
        Producer(channel).publish("bad", routing_key=source.name)
        arrived = []
        with Consumer(channel, queues=[dead], no_ack=True, on_message=arrived.append):
            source.get().reject()
            while not arrived:
                connection.drain_events()
        death, = arrived[0].headers["x-death"]
        assert arrived[0].payload == "bad"
        assert (death["reason"], death["queue"], death["count"]) == ("rejected", source.name, 1)
        assert arrived[0].headers["x-first-death-queue"] == source.name
    ok("dead letter")


def returned(connection):
    back = []

    def on_return(error, exchange, routing_key, message):
        back.append((error.reply_code, routing_key, message.body))

    with connection.channel() as channel:
        Producer(channel, on_return=on_return).publish(
            "lost", routing_key="kombu.nobody", mandatory=True)
        while not back:
            connection.drain_events()
    assert back == [(312, "kombu.nobody", "lost")], back
    ok("returned")


def properties(connection):
    now = datetime.datetime.utcnow().replace(microsecond=0)
    headers = {"text": "ä", "number": 2 ** 40, "truth": True, "nothing": None, "real": 0.5,
               "time": now, "table": {"deep": {"er": 1}}, "list": [1, "two"]}
    sent = {"correlation_id": "7", "reply_to": "somewhere", "message_id": "id", "timestamp": 1700000000,
            "type": "order", "user_id": "guest", "app_id": "journey", "priority": 5,
            "delivery_mode": 2}
    with connection.channel() as channel:
        all_kinds = private_queue(channel)
        Producer(channel).publish({"body": ["ä"]}, routing_key=all_kinds.name, headers=headers,
                                  expiration=60, compression="zlib", **sent)
        message = all_kinds.get(no_ack=True)
    got = message.properties
    assert message.payload == {"body": ["ä"]}
    assert (message.content_type, message.content_encoding) == ("application/json", "utf-8")
    assert got["expiration"] == "60000"
    for name, value in sent.items():
        assert got[name] == value, (name, got[name])
    for name, value in headers.items():
        assert message.headers[name] == value, (name, message.headers[name])
    ok("properties")


def precondition(connection):
    with connection.channel() as channel:
        args = private_queue(channel)
        try:
            other = Queue(args.name, exclusive=True, auto_delete=True, durable=False,
                          queue_arguments={"x-max-length": 1})
            other(connection.channel()).declare()
            raise AssertionError("other arguments were taken")
        except amqp.exceptions.PreconditionFailed as error:
            assert error.code == 406, error
        assert args.queue_declare(passive=True).message_count == 0
    ok("precondition")


def reply_to(connection):
    with connection.channel() as channel:
        producer = Producer(channel)
        requests = private_queue(channel)
        replies = Queue("amq.rabbitmq.reply-to", no_declare=True, no_ack=True)
        answers = []

        def serve(message):
            producer.publish(message.payload.upper(), routing_key=message.properties["reply_to"],
                             correlation_id=message.properties["correlation_id"])
            message.ack()

        with Consumer(channel, [requests], on_message=serve), \
                Consumer(channel, [replies], on_message=answers.append, no_ack=True):
            for word in "one", "two":
                producer.publish(word, routing_key=requests.name, correlation_id=word,
                                 reply_to=replies.name)
                while not answers:
                    connection.drain_events()
                answer = answers.pop()
                assert answer.payload == word.upper()
                assert answer.properties["correlation_id"] == word
    ok("reply-to")


def transaction(_):
    with connect(confirm_publish=False) as connection, connection.channel() as channel:
        kept, producer = private_queue(channel), Producer(channel)
        channel.tx_select()
        producer.publish("kept", routing_key=kept.name)
        channel.tx_commit()
        producer.publish("forgotten", routing_key=kept.name)
        channel.tx_rollback()
        assert kept.get(no_ack=True).body == "kept"
        assert kept.get(no_ack=True) is None
    ok("transaction")


def deleted_queue(connection):
    gone = Queue("kombu.gone", durable=False)
    with Consumer(connection, [gone], on_message=lambda message: None):
        with connect() as other:
            gone(other).delete()
        try:
            connection.drain_events()
            raise AssertionError("the consumer was not cancelled")
        except amqp.exceptions.ConsumerCancelled:
            pass
    ok("deleted queue")


class Worker(ConsumerMixin):
    """A mixin connects, declares and consumes again by itself."""

    def __init__(self, connection, source):
        self.connection, self.source = connection, source
        self.connect_max_retries = None
        self.ready, self.bodies = queue.Queue(), queue.Queue()

    def get_consumers(self, Consumer, channel):
        return [Consumer([self.source], on_message=self.receive)]

    def on_consume_ready(self, connection, channel, consumers, **_):
        self.ready.put(True)

    def receive(self, message):
        message.ack()
        self.bodies.put(message.payload)


def recovery():
    robust = Queue("kombu.robust", Exchange("kombu.robust", "direct"), routing_key="a")
    worker = Worker(connect(), robust)
    thread = threading.Thread(target=worker.run, daemon=True)
    thread.start()
    worker.ready.get()
    with connect() as connection:
        producer = Producer(connection)
        producer.publish("before", exchange=robust.exchange, routing_key="a")
        assert worker.bodies.get() == "before"
    print("restart the broker", flush=True)
    worker.ready.get()
    with connect() as connection:
        connection.ensure_connection(interval_start=0.05, interval_step=0.05)
        Producer(connection).publish("after", exchange=robust.exchange, routing_key="a")
        assert worker.bodies.get() == "after"
        worker.should_stop = True
        thread.join()
        robust(connection).delete()
        robust.exchange(connection).delete()
    ok("recovery")


def main():
    refused_password()
    with connect() as connection:
        for step in (publish_and_consume, requeue, dead_letter, returned, properties, precondition,
                     reply_to, transaction, deleted_queue):
            step(connection)
    recovery()


if __name__ == "__main__":
    main()
