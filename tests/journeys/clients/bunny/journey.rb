# frozen_string_literal: true

# What an application written with bunny does, against the broker at HOST PORT.
# Prints a line for each step that went well; ends with 0, or with a stack and 1.

require 'bunny'

$stdout.sync = true
Thread.report_on_exception = false
HOST, PORT = ARGV
COUNT = 500
STEPS = {}

# A step of the story, on a channel of its own; some need the connection, too.
def step(name, &block)
  STEPS[name] = block
end

def check(what, expected, got)
  raise "#{what}: expected #{expected.inspect}, got #{got.inspect}" unless expected == got
end

def connect(**options)
  Bunny.new(host: HOST, port: PORT.to_i, heartbeat: 5, connection_name: 'journey',
            network_recovery_interval: 0.2, continuation_timeout: 30_000,
            logger: Logger.new(IO::NULL), **options).start
end

# The error of this class that the block ends with.
def error_of(kind)
  yield
  raise "no #{kind}"
rescue kind => error
  error
end

def with_channel(connection)
  channel = connection.create_channel
  result = yield channel
  channel.close if channel.open?
  result
end

step 'refused password' do
  error_of(Bunny::AuthenticationFailureError) { connect(password: 'wrong') }
end

# Published with confirms, consumed in order with a prefetch and manual acknowledgements.
step 'publish and consume' do |channel|
  channel.confirm_select
  queue = channel.queue('bunny.orders', durable: true)
  COUNT.times { |number| queue.publish(number.to_s, persistent: true) }
  check('confirmed', true, channel.wait_for_confirms)
  channel.prefetch(20)
  arrived = Thread::Queue.new
  consumer = queue.subscribe(manual_ack: true) do |delivery, _properties, body|
    channel.ack(delivery.delivery_tag)
    arrived << body.to_i
  end
  check('order', (0...COUNT).to_a, Array.new(COUNT) { arrived.pop })
  consumer.cancel
  check('left', 0, queue.message_count)
  queue.delete
end

step 'requeue' do |channel|
  queue = channel.queue('', exclusive: true)
  queue.publish('again')
  delivery, = queue.pop(manual_ack: true)
  check('redelivered', false, delivery.redelivered?)
  channel.reject(delivery.delivery_tag, true)
  delivery, _properties, body = queue.pop(manual_ack: true)
  check('redelivered', [true, 'again'], [delivery.redelivered?, body])
  channel.ack(delivery.delivery_tag)
  check('empty', [nil, nil, nil], queue.pop)
end

step 'dead letter' do |channel|
  exchange = channel.fanout('bunny.dead', auto_delete: true)
  arrived = Thread::Queue.new
  channel.queue('', exclusive: true).bind(exchange).subscribe do |_delivery, properties, body|
    arrived << [properties.headers, body]
  end
  queue = channel.queue('', exclusive: true,
                            arguments: { 'x-dead-letter-exchange' => exchange.name })
  queue.publish('bad')
  delivery, = queue.pop(manual_ack: true)
  channel.nack(delivery.delivery_tag, false, false)
  headers, body = arrived.pop
  check('body', 'bad', body)
  death = headers['x-death'].first
  check('death', ['rejected', queue.name, 1], death.values_at('reason', 'queue', 'count'))
  check('first death', queue.name, headers['x-first-death-queue'])
end

step 'returned' do |channel|
  back = Thread::Queue.new
  exchange = channel.default_exchange
  exchange.on_return { |info, _properties, body| back << [info.reply_code, body] }
  exchange.publish('lost', routing_key: 'bunny.nobody', mandatory: true)
  check('returned', [312, 'lost'], back.pop)
end

step 'properties' do |channel|
  now = Time.at(Time.now.to_i)
  headers = { 'text' => 'ä', 'number' => 2**40, 'truth' => true, 'nothing' => nil, 'real' => 0.5,
              'time' => now, 'table' => { 'deep' => { 'er' => 1 } }, 'list' => [1, 'two'] }
  sent = { headers: headers, content_type: 'text/plain', content_encoding: 'utf-8', priority: 5,
           correlation_id: '7', reply_to: 'somewhere', expiration: '60000', message_id: 'id',
           timestamp: now.to_i, type: 'order', user_id: 'guest', app_id: 'journey', delivery_mode: 2 }
  queue = channel.queue('', exclusive: true)
  queue.publish('all', **sent)
  _delivery, got, = queue.pop
  got[:headers]['text'].force_encoding('UTF-8')
  check('properties', sent.merge(timestamp: now), got.to_hash)
end

step 'precondition' do |channel, connection|
  queue = channel.queue('bunny.args', exclusive: true)
  error = error_of(Bunny::PreconditionFailed) do
    connection.create_channel.queue('bunny.args', exclusive: true,
                                                  arguments: { 'x-max-length' => 1 })
  end
  check('code', 406, error.channel_close.reply_code)
  check('lives', 0, queue.message_count)
end

step 'reply-to' do |channel|
  exchange = channel.default_exchange
  requests = channel.queue('', exclusive: true)
  requests.subscribe do |_delivery, request, body|
    exchange.publish(body.upcase, routing_key: request.reply_to,
                                  correlation_id: request.correlation_id)
  end
  replies = Thread::Queue.new
  pseudo_queue = channel.queue('amq.rabbitmq.reply-to', no_declare: true)
  pseudo_queue.subscribe { |_delivery, reply, body| replies << [reply.correlation_id, body] }
  %w[one two].each do |word|
    requests.publish(word, correlation_id: word, reply_to: pseudo_queue.name)
    check('reply', [word, word.upcase], replies.pop)
  end
end

step 'transaction' do |channel|
  channel.tx_select
  queue = channel.queue('', exclusive: true)
  queue.publish('kept')
  channel.tx_commit
  queue.publish('forgotten')
  channel.tx_rollback
  check('first', 'kept', queue.pop.last)
  check('second', nil, queue.pop.last)
end

step 'deleted queue' do |channel, connection|
  cancelled = Thread::Queue.new
  queue = channel.queue('bunny.gone')
  queue.subscribe(on_cancellation: ->(*) { cancelled << true }) { nil }
  with_channel(connection) { |other| other.queue_delete('bunny.gone') }
  cancelled.pop
  check('gone', false, connection.queue_exists?('bunny.gone'))
end

# bunny opens the connection and its channels again, declares, binds and consumes by itself.
step 'recovery' do |channel, connection|
  recovered = Thread::Queue.new
  connection.after_recovery_completed { recovered << true }
  channel.confirm_select
  exchange = channel.topic('bunny.robust', durable: true)
  queue = channel.queue('bunny.robust', durable: true).bind(exchange, routing_key: 'a.#')
  private_queue = channel.queue('', exclusive: true).bind(exchange, routing_key: '#')
  arrived = [queue, private_queue].map do |each|
    Thread::Queue.new.tap { |bodies| each.subscribe { |_delivery, _properties, body| bodies << body } }
  end
  exchange.publish('before', routing_key: 'a.b', persistent: true)
  check('before', %w[before before], arrived.map(&:pop))
  channel.wait_for_confirms
  puts 'restart the broker'
  recovered.pop
  exchange.publish('after', routing_key: 'a.b.c', persistent: true)
  check('after', %w[after after], arrived.map(&:pop))
  queue.delete
  exchange.delete
end

connection = connect
STEPS.each do |name, block|
  with_channel(connection) { |channel| block.call(channel, connection) }
  puts "ok: #{name}"
end
connection.close
