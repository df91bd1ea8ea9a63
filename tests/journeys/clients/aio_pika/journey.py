"""What an application written with aio-pika does, against the broker at HOST PORT.

Prints a line for each step that went well; ends with 0, or with a traceback and 1.
"""

import asyncio
import datetime
import logging
import sys

import aio_pika
from aio_pika import DeliveryMode, Message
from aio_pika.exceptions import (
    AMQPConnectionError, ChannelPreconditionFailed, DeliveryError, ProbableAuthenticationError,
    QueueEmpty,
)
from aio_pika.patterns import RPC

HOST, PORT = sys.argv[1], int(sys.argv[2])
COUNT = 500


def ok(step):
    print(f"ok: {step}", flush=True)


def url(password="guest"):
    return (f"amqp://guest:{password}@{HOST}:{PORT}"
            "/?name=journey&heartbeat=5&reconnect_interval=0.2")


def persistent(body, **properties):
    return Message(str(body).encode(), delivery_mode=DeliveryMode.PERSISTENT, **properties)


async def publish_and_consume(connection):
    """Published with confirms, consumed in order with a prefetch and manual acknowledgements."""
    async with connection.channel() as channel:
        await channel.set_qos(prefetch_count=20)
        queue = await channel.declare_queue("aio_pika.orders", durable=True)
        await asyncio.gather(*(
            channel.default_exchange.publish(persistent(number), queue.name)
            for number in range(COUNT)))
        seen = []
        async with queue.iterator() as messages:
            async for message in messages:
                async with message.process():
                    seen.append(int(message.body))
                if len(seen) == COUNT:
                    break
        assert seen == list(range(COUNT)), seen
        left = await channel.declare_queue(queue.name, passive=True)
        assert left.declaration_result.message_count == 0
        await queue.delete()
    ok("publish and consume")


async def requeue(connection):
    async with connection.channel() as channel:
        queue = await channel.declare_queue(exclusive=True)
        await channel.default_exchange.publish(persistent("again"), queue.name)
        first = await queue.get()
        assert not first.redelivered
        await first.reject(requeue=True)
        second = await queue.get()
        assert second.redelivered and second.body == b"again"
        await second.ack()
        try:
            await queue.get()
            raise AssertionError("an acknowledged message is still there")
        except QueueEmpty:
            pass
    ok("requeue")


async def dead_letter(connection):
    async with connection.channel() as channel:
        exchange = await channel.declare_exchange("aio_pika.dead", "fanout", auto_delete=True)
        dead = await channel.declare_queue(exclusive=True)
        await dead.bind(exchange)
        queue = await channel.declare_queue(
            exclusive=True, arguments={"x-dead-letter-exchange": exchange.name})
        await channel.default_exchange.publish(persistent("bad"), queue.name)
        arrived = asyncio.Queue()
        await dead.consume(arrived.put)
        await (await queue.get()).nack(requeue=False)
        message = await arrived.get()
        death, = message.headers["x-death"]
        assert message.body == b"bad"
        assert (death["reason"], death["queue"], death["count"]) == ("rejected", queue.name, 1)
        assert message.headers["x-first-death-queue"] == queue.name
        await message.ack()
    ok("dead letter")


async def returned(connection):
    async with connection.channel(on_return_raises=True) as channel:
        try:
            await channel.default_exchange.publish(
                persistent("lost"), "aio_pika.nobody", mandatory=True)
            raise AssertionError("an unroutable message was taken")
        except DeliveryError as error:
            assert error.message.delivery.reply_code == 312, error
    ok("returned")


async def properties(connection):
    now = datetime.datetime.utcnow().replace(microsecond=0)
    headers = {"text": "ä", "number": 2 ** 40, "truth": True, "nothing": None, "real": 0.5,
               "bytes": b"\0\xff", "time": now, "table": {"deep": {"er": 1}}, "list": [1, "two"]}
    sent = persistent(
        "all", headers=headers, content_type="text/plain", content_encoding="utf-8", priority=5,
        correlation_id="7", reply_to="somewhere", expiration=60, message_id="id", timestamp=now,
        type="order", user_id="guest", app_id="journey")
    async with connection.channel() as channel:
        queue = await channel.declare_queue(exclusive=True)
        await channel.default_exchange.publish(sent, queue.name)
        got = await queue.get(no_ack=True)
    for name in ("content_type", "content_encoding", "priority", "correlation_id", "reply_to",
                 "expiration", "message_id", "timestamp", "type", "user_id", "app_id",
                 "delivery_mode"):
        assert getattr(got, name) == getattr(sent, name), (name, getattr(got, name))
    for name in headers:
        assert got.headers[name] == sent.headers[name], (name, got.headers[name])
    ok("properties")


async def precondition(connection):
    async with connection.channel() as channel:
        queue = await channel.declare_queue("aio_pika.args", exclusive=True)
        other = await connection.channel()
        try:
            await other.declare_queue(queue.name, exclusive=True, arguments={"x-max-length": 1})
            raise AssertionError("other arguments were taken")
        except ChannelPreconditionFailed as error:
            assert "406" in str(error) or "PRECONDITION_FAILED" in str(error), error
        await queue.declare()
    ok("precondition")


async def refused_password():
    try:
        await aio_pika.connect(url(password="wrong"))
        raise AssertionError("a wrong password was taken")
    except ProbableAuthenticationError as error:
        assert isinstance(error, AMQPConnectionError)
        assert "ACCESS_REFUSED" in str(error), error
    ok("refused password")


async def direct_reply_to(connection):
    async with connection.channel() as channel:
        requests = await channel.declare_queue(exclusive=True)

        async def serve(request):
            async with request.process():
                await channel.default_exchange.publish(
                    Message(request.body.upper(), correlation_id=request.correlation_id),
                    request.reply_to)
            served.put_nowait(request)

        served = asyncio.Queue()
        await requests.consume(serve)
        replies = asyncio.Queue()
        pseudo_queue = await channel.get_queue("amq.rabbitmq.reply-to")
        await pseudo_queue.consume(replies.put, no_ack=True)
        for word in "one", "two":
            await channel.default_exchange.publish(
                Message(word.encode(), correlation_id=word, reply_to=pseudo_queue.name),
                requests.name)
            reply = await replies.get()
            assert (reply.body.decode(), reply.correlation_id) == (word.upper(), word)
            await served.get()
    ok("reply-to")


async def rpc_pattern(connection):
    async def multiply(*, x, y):
        return x * y

    async with connection.channel() as channel:
        rpc = await RPC.create(channel)
        await rpc.register("aio_pika.multiply", multiply, auto_delete=True)
        assert await rpc.call("aio_pika.multiply", {"x": 6, "y": 7}) == 42
        await rpc.unregister(multiply)
        await rpc.close()
    ok("rpc pattern")


async def transaction(connection):
    async with connection.channel(publisher_confirms=False) as channel:
        queue = await channel.declare_queue(exclusive=True)
        async with channel.transaction():
            await channel.default_exchange.publish(persistent("kept"), queue.name)
        transaction = channel.transaction()
        await transaction.select()
        await channel.default_exchange.publish(persistent("forgotten"), queue.name)
        await transaction.rollback()
        assert (await queue.get(no_ack=True)).body == b"kept"
        assert await queue.get(no_ack=True, fail=False) is None
    ok("transaction")


async def deleted_queue(connection):
    """aio-pika drops a consumer that the broker has cancelled, without a word; the queue that is
    declared again has no consumer, and the channel lives."""
    async with connection.channel() as channel:
        queue = await channel.declare_queue("aio_pika.gone")
        await queue.consume(lambda message: None)
        async with connection.channel() as other:
            await other.queue_delete(queue.name)
        again = await queue.declare()
        assert (again.consumer_count, again.message_count) == (0, 0)
        await channel.queue_delete(queue.name)
    ok("deleted queue")


async def recovery(connection):
    """The robust connection declares, binds and consumes again by itself."""
    channel = await connection.channel()
    exchange = await channel.declare_exchange("aio_pika.robust", "topic", durable=True)
    queue = await channel.declare_queue("aio_pika.robust", durable=True)
    await queue.bind(exchange, "a.#")
    arrived = asyncio.Queue()

    async def receive(message):
        async with message.process():
            await arrived.put(message.body)

    await queue.consume(receive)
    await exchange.publish(persistent("before"), "a.b")
    assert await arrived.get() == b"before"
    reconnected = asyncio.Event()
    connection.reconnect_callbacks.add(lambda *_: reconnected.set())
    print("restart the broker", flush=True)
    await reconnected.wait()
    await exchange.publish(persistent("after"), "a.b.c")
    assert await arrived.get() == b"after"
    await queue.delete(if_unused=False)
    await channel.exchange_delete(exchange.name)
    ok("recovery")


async def main():
    logging.disable(logging.CRITICAL)  # it logs what this program provokes
    await refused_password()
    async with await aio_pika.connect_robust(url()) as connection:
        for step in (publish_and_consume, requeue, dead_letter, returned, properties,
                     precondition, direct_reply_to, rpc_pattern, transaction, deleted_queue,
                     recovery):
            await step(connection)


if __name__ == "__main__":
    asyncio.run(main())
