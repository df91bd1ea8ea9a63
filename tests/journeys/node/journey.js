// Everything that a program written with amqplib commonly does, against the port in argv[2].
// Ends with "ok" and 0, or with a stack and 1.
'use strict';
const assert = require('node:assert');
const {once} = require('node:events');
const amqp = require('amqplib');

const url = `amqp://guest:guest@127.0.0.1:${process.argv[2]}`;

// A channel error ends the channel: the reply code that a piece of work dies with.
async function codeOf(connection, work) {
  const channel = await connection.createChannel();
  channel.on('error', () => {});
  const error = await work(channel).then(() => null, (reason) => reason);
  return error && error.code;
}

async function queuesAndExchanges(connection) {
  const channel = await connection.createConfirmChannel();
  const {queue} = await channel.assertQueue('', {exclusive: true});
  assert.match(queue, /^amq\.gen-/);
  await channel.assertExchange('node.topic', 'topic', {durable: false, autoDelete: true});
  await channel.bindQueue(queue, 'node.topic', 'a.#');
  for (const key of ['a.b', 'b.a', 'a'])
    channel.publish('node.topic', key, Buffer.from(key), {headers: {n: 1}, messageId: key});
  await channel.waitForConfirms();
  assert.strictEqual((await channel.checkQueue(queue)).messageCount, 2);
  const message = await channel.get(queue);
  assert.strictEqual(message.content.toString(), 'a.b');
  assert.deepStrictEqual(message.properties.headers, {n: 1});
  assert.strictEqual(message.properties.messageId, 'a.b');
  channel.nack(message, false, true);
  const again = await channel.get(queue);
  assert.strictEqual(again.fields.redelivered, true);
  channel.ack(again);
  assert.strictEqual((await channel.purgeQueue(queue)).messageCount, 1);
  assert.strictEqual(await channel.get(queue), false);
  const returned = once(channel, 'return');
  channel.publish('', 'nosuch', Buffer.from('x'), {mandatory: true});
  const [back] = await returned;
  assert.strictEqual(back.fields.replyCode, 312);
  await channel.waitForConfirms();
  await channel.close();
}

async function consumers(connection) {
  const channel = await connection.createConfirmChannel();
  await channel.prefetch(10);
  const {queue} = await channel.assertQueue('node.consumed', {durable: true});
  const count = 500, seen = [];
  const all = new Promise((resolve) => {
    channel.consume(queue, (message) => {
      seen.push(Number(message.content));
      channel.ack(message);
      if (seen.length === count) resolve();
    }, {consumerTag: 'tag'});
  });
  for (let i = 0; i < count; ++i)
    channel.sendToQueue(queue, Buffer.from(String(i)), {persistent: true});
  await channel.waitForConfirms();
  await all;
  assert.deepStrictEqual(seen, Array.from({length: count}, (_, i) => i));
  await channel.cancel('tag');
  await channel.deleteQueue(queue);
  await channel.close();
}

async function deletionCancels(connection) {
  const channel = await connection.createChannel();
  await channel.assertQueue('node.gone');
  const cancelled = new Promise((resolve) => {
    channel.consume('node.gone', (message) => message === null && resolve());
  });
  await channel.deleteQueue('node.gone');
  await cancelled;
  await channel.close();
}

async function errors(connection) {
  assert.strictEqual(await codeOf(connection, (c) => c.checkQueue('nosuch')), 404);
  assert.strictEqual(await codeOf(connection, (c) => c.assertExchange('amq.x', 'direct')), 403);
  await (await connection.createChannel()).assertQueue('node.args', {durable: false});
  assert.strictEqual(
      await codeOf(connection, (c) => c.assertQueue('node.args', {durable: true})), 406);
  const channel = await connection.createChannel();
  await channel.deleteQueue('node.args');
  const refused = await amqp.connect(url.replace(':guest@', ':wrong@')).catch((e) => e);
  assert.match(String(refused), /403|ACCESS.REFUSED/i);
}

async function main() {
  const connection = await amqp.connect(url, {clientProperties: {connection_name: 'journey'}});
  assert.strictEqual(connection.connection.serverProperties.product, 'RabbitMQ');
  for (const part of [queuesAndExchanges, consumers, deletionCancels, errors]) {
    await part(connection);
    console.log(part.name);
  }
  await connection.close();
  console.log('ok');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
