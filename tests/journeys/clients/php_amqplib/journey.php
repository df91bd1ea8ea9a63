<?php

// What an application written with php-amqplib does, against the broker at HOST PORT.
// Prints a line for each step that went well; ends with 0, or with a stack and 255.

declare(strict_types=1);

require_once 'PhpAmqpLib/autoload.php';

use PhpAmqpLib\Channel\AMQPChannel;
use PhpAmqpLib\Connection\AbstractConnection;
use PhpAmqpLib\Connection\AMQPConnectionConfig;
use PhpAmqpLib\Connection\AMQPConnectionFactory;
use PhpAmqpLib\Exception\AMQPBasicCancelException;
use PhpAmqpLib\Exception\AMQPConnectionClosedException;
use PhpAmqpLib\Exception\AMQPExceptionInterface;
use PhpAmqpLib\Exception\AMQPProtocolChannelException;
use PhpAmqpLib\Exchange\AMQPExchangeType;
use PhpAmqpLib\Message\AMQPMessage;
use PhpAmqpLib\Wire\AMQPTable;

const COUNT = 500;

function ok(string $step): void
{
    echo "ok: $step\n";
}

function check(string $what, mixed $expected, mixed $got): void
{
    if ($expected !== $got) {
        throw new Exception("$what: expected " . var_export($expected, true)
            . ', got ' . var_export($got, true));
    }
}

/** The exception of this class that the work ends with. */
function errorOf(string $class, callable $work): Throwable
{
    try {
        $work();
    } catch (Throwable $error) {
        if ($error instanceof $class) {
            return $error;
        }
        throw $error;
    }
    throw new Exception("no $class");
}

function connect(string $password = 'guest'): AbstractConnection
{
    global $argv;
    $config = new AMQPConnectionConfig();
    $config->setHost($argv[1]);
    $config->setPort((int) $argv[2]);
    $config->setPassword($password);
    $config->setConnectionName('journey');
    $config->setHeartbeat(5);
    $config->setReadTimeout(60);
    $config->setWriteTimeout(60);
    return AMQPConnectionFactory::create($config);
}

function persistent(string $body): AMQPMessage
{
    return new AMQPMessage($body, ['delivery_mode' => AMQPMessage::DELIVERY_MODE_PERSISTENT]);
}

/** A queue of this connection alone. */
function privateQueue(AMQPChannel $channel, array $arguments = []): string
{
    return $channel->queue_declare('', exclusive: true, arguments: new AMQPTable($arguments))[0];
}

/** Consumes until $count messages were given to $receive. */
function receive(AMQPChannel $channel, string $queue, int $count, callable $receive): void
{
    $tag = $channel->basic_consume($queue, callback: function (AMQPMessage $message) use (
        $receive,
        &$count
    ): void {
        $receive($message);
        $message->ack();
        --$count;
    });
    while ($count > 0) {
        $channel->wait();
    }
    $channel->basic_cancel($tag);
}

function refusedPassword(): void
{
    $error = errorOf(AMQPConnectionClosedException::class, fn () => connect('wrong'));
    check('code', 403, $error->getCode());
    ok('refused password');
}

/** Published with confirms, consumed in order with a prefetch and manual acknowledgements. */
function publishAndConsume(AbstractConnection $connection): void
{
    $channel = $connection->channel();
    $channel->queue_declare('php.orders', durable: true, auto_delete: false);
    $channel->confirm_select();
    $confirmed = 0;
    $channel->set_ack_handler(function () use (&$confirmed): void {
        ++$confirmed;
    });
    for ($number = 0; $number < COUNT; ++$number) {
        $channel->basic_publish(persistent((string) $number), '', 'php.orders');
    }
    $channel->wait_for_pending_acks();
    check('confirmed', COUNT, $confirmed);
    $channel->basic_qos(0, 20, false);
    $seen = [];
    receive($channel, 'php.orders', COUNT, function (AMQPMessage $message) use (&$seen): void {
        $seen[] = (int) $message->getBody();
    });
    check('order', range(0, COUNT - 1), $seen);
    check('left', 0, $channel->queue_delete('php.orders'));
    $channel->close();
    ok('publish and consume');
}

function requeue(AbstractConnection $connection): void
{
    $channel = $connection->channel();
    $queue = privateQueue($channel);
    $channel->basic_publish(persistent('again'), '', $queue);
    $first = $channel->basic_get($queue);
    check('redelivered', false, $first->isRedelivered());
    $first->reject(true);
    $second = $channel->basic_get($queue);
    check('redelivered', true, $second->isRedelivered());
    $second->ack();
    check('empty', null, $channel->basic_get($queue));
    $channel->close();
    ok('requeue');
}

function deadLetter(AbstractConnection $connection): void
{
    $channel = $connection->channel();
    $channel->exchange_declare('php.dead', AMQPExchangeType::FANOUT, auto_delete: true);
    $dead = privateQueue($channel);
    $channel->queue_bind($dead, 'php.dead');
    $queue = privateQueue($channel, ['x-dead-letter-exchange' => 'php.dead']);
    $channel->basic_publish(persistent('bad'), '', $queue);
    $channel->basic_get($queue)->nack();
    receive($channel, $dead, 1, function (AMQPMessage $message) use ($queue): void {
        $headers = $message->get('application_headers')->getNativeData();
        $death = $headers['x-death'][0];
        check('body', 'bad', $message->getBody());
        check('death', ['rejected', $queue, 1], [$death['reason'], $death['queue'], $death['count']]);
        check('first death', $queue, $headers['x-first-death-queue']);
    });
    $channel->close();
    ok('dead letter');
}

function returned(AbstractConnection $connection): void
{
    $channel = $connection->channel();
    $channel->confirm_select();
    $back = [];
    $channel->set_return_listener(
        function (int $code, string $text, string $exchange, string $key, AMQPMessage $message) use (
            &$back
        ): void {
            $back = [$code, $key, $message->getBody()];
        }
    );
    $channel->basic_publish(persistent('lost'), '', 'php.nobody', true);
    $channel->wait_for_pending_acks_returns();
    check('returned', [312, 'php.nobody', 'lost'], $back);
    $channel->close();
    ok('returned');
}

function properties(AbstractConnection $connection): void
{
    $now = time();
    $headers = ['text' => 'ä', 'number' => 2 ** 40, 'small' => -7, 'truth' => true,
        'nothing' => null, 'table' => ['deep' => ['er' => 1]], 'list' => [1, 'two']];
    $sent = ['content_type' => 'text/plain', 'content_encoding' => 'utf-8', 'priority' => 5,
        'correlation_id' => '7', 'reply_to' => 'somewhere', 'expiration' => '60000',
        'message_id' => 'id', 'timestamp' => $now, 'type' => 'order', 'user_id' => 'guest',
        'app_id' => 'journey', 'delivery_mode' => AMQPMessage::DELIVERY_MODE_PERSISTENT];
    $table = new AMQPTable($headers);
    $table->set('time', $now, AMQPTable::T_TIMESTAMP);
    $channel = $connection->channel();
    $queue = privateQueue($channel);
    $channel->basic_publish(
        new AMQPMessage('all', $sent + ['application_headers' => $table]),
        '',
        $queue
    );
    $got = $channel->basic_get($queue, true);
    foreach ($sent as $name => $value) {
        check($name, $value, $got->get($name));
    }
    $table = $got->get('application_headers')->getNativeData();
    check('time', $now, $table['time']->getTimestamp());
    foreach ($headers as $name => $value) {
        check($name, $value, $table[$name]);
    }
    $channel->close();
    ok('properties');
}

function precondition(AbstractConnection $connection): void
{
    $channel = $connection->channel();
    $channel->queue_declare('php.args', exclusive: true);
    $error = errorOf(AMQPProtocolChannelException::class, fn () => $connection->channel()
        ->queue_declare('php.args', exclusive: true, arguments: new AMQPTable(['x-max-length' => 1])));
    check('code', 406, $error->amqp_reply_code);
    check('lives', 0, $channel->queue_declare('php.args', true)[1]);
    $channel->close();
    ok('precondition');
}

function replyTo(AbstractConnection $connection): void
{
    $channel = $connection->channel();
    $requests = privateQueue($channel);
    $channel->basic_consume($requests, no_ack: true, callback: function (AMQPMessage $request) use (
        $channel
    ): void {
        $reply = new AMQPMessage(
            strtoupper($request->getBody()),
            ['correlation_id' => $request->get('correlation_id')]
        );
        $channel->basic_publish($reply, '', $request->get('reply_to'));
    });
    $replies = [];
    $channel->basic_consume(
        'amq.rabbitmq.reply-to',
        no_ack: true,
        callback: function (AMQPMessage $reply) use (&$replies): void {
            $replies[$reply->get('correlation_id')] = $reply->getBody();
        }
    );
    foreach (['one', 'two'] as $word) {
        $properties = ['correlation_id' => $word, 'reply_to' => 'amq.rabbitmq.reply-to'];
        $channel->basic_publish(new AMQPMessage($word, $properties), '', $requests);
        while (!isset($replies[$word])) {
            $channel->wait();
        }
    }
    check('replies', ['one' => 'ONE', 'two' => 'TWO'], $replies);
    $channel->close();
    ok('reply-to');
}

function transaction(AbstractConnection $connection): void
{
    $channel = $connection->channel();
    $channel->tx_select();
    $queue = privateQueue($channel);
    $channel->basic_publish(persistent('kept'), '', $queue);
    $channel->tx_commit();
    $channel->basic_publish(persistent('forgotten'), '', $queue);
    $channel->tx_rollback();
    check('committed', 'kept', $channel->basic_get($queue, true)->getBody());
    check('rolled back', null, $channel->basic_get($queue, true));
    $channel->close();
    ok('transaction');
}

function deletedQueue(AbstractConnection $connection): void
{
    $channel = $connection->channel();
    $channel->queue_declare('php.gone');
    $tag = $channel->basic_consume('php.gone', callback: fn () => null);
    $connection->channel()->queue_delete('php.gone');
    $cancel = errorOf(AMQPBasicCancelException::class, function () use ($channel): void {
        while ($channel->is_consuming()) {
            $channel->wait();
        }
    });
    check('cancelled', $tag, $cancel->consumerTag);
    $channel->close();
    ok('deleted queue');
}

/** The client has no recovery of its own; an application is told and connects again. */
function recovery(AbstractConnection $connection): void
{
    $channel = $connection->channel();
    $channel->queue_declare('php.kept', durable: true, auto_delete: false);
    $channel->confirm_select();
    $channel->basic_publish(persistent('before'), '', 'php.kept');
    $channel->wait_for_pending_acks();
    $channel->basic_consume('php.kept', callback: fn () => null);
    $channel->wait();
    echo "restart the broker\n";
    errorOf(AMQPConnectionClosedException::class, fn () => $channel->wait());
    for ($connection = null; $connection === null;) {
        try {
            $connection = connect();
        } catch (AMQPExceptionInterface) {
            usleep(50000);
        }
    }
    $channel = $connection->channel();
    $message = $channel->basic_get('php.kept', true);
    check('kept', ['before', true], [$message->getBody(), $message->isRedelivered()]);
    $channel->queue_delete('php.kept');
    $connection->close();
    ok('recovery');
}

refusedPassword();
$connection = connect();
foreach (
    [publishAndConsume(...), requeue(...), deadLetter(...), returned(...), properties(...),
    precondition(...), replyTo(...), transaction(...), deletedQueue(...), recovery(...)] as $step
) {
    $step($connection);
}
