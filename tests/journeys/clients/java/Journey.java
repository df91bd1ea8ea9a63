import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.AuthenticationFailureException;
import com.rabbitmq.client.BuiltinExchangeType;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.LongString;
import com.rabbitmq.client.MessageProperties;
import com.rabbitmq.client.Recoverable;
import com.rabbitmq.client.RecoveryListener;
import com.rabbitmq.client.Return;
import com.rabbitmq.client.ShutdownSignalException;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;

/**
 * What an application written with the Java client does, against the broker at HOST PORT. Prints a
 * line for each step that went well; ends with 0, or with a stack and 1.
 */
public final class Journey {
  private static final int COUNT = 500;
  private static final AMQP.BasicProperties PERSISTENT = MessageProperties.PERSISTENT_BASIC;

  private interface Step {
    void run(Connection connection) throws Exception;
  }

  private static void ok(String step) {
    System.out.println("ok: " + step);
  }

  private static void check(String what, Object expected, Object got) {
    if (!Objects.equals(expected, got)) {
      throw new AssertionError(what + ": expected " + expected + ", got " + got);
    }
  }

  private static <T extends Exception> T errorOf(Class<T> kind, Callable<?> work) throws Exception {
    try {
      work.call();
    } catch (Exception error) {
      if (kind.isInstance(error)) {
        return kind.cast(error);
      }
      throw error;
    }
    throw new AssertionError("no " + kind);
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static String text(byte[] body) {
    return new String(body, StandardCharsets.UTF_8);
  }

  private static ConnectionFactory factory(String[] address) {
    ConnectionFactory factory = new ConnectionFactory();
    factory.setHost(address[0]);
    factory.setPort(Integer.parseInt(address[1]));
    factory.setRequestedHeartbeat(5);
    factory.setNetworkRecoveryInterval(200);
    return factory;
  }

  private static String privateQueue(Channel channel, Map<String, Object> arguments)
      throws IOException {
    return channel.queueDeclare("", false, true, false, arguments).getQueue();
  }

  /** Consumes without acknowledgements; the deliveries come in a queue. */
  private static BlockingQueue<Delivery> consume(Channel channel, String queue) throws IOException {
    BlockingQueue<Delivery> arrived = new LinkedBlockingQueue<>();
    channel.basicConsume(queue, true, (tag, delivery) -> arrived.add(delivery), tag -> {});
    return arrived;
  }

  private static void refusedPassword(ConnectionFactory factory) throws Exception {
    factory.setPassword("wrong");
    errorOf(AuthenticationFailureException.class, factory::newConnection);
    factory.setPassword("guest");
    ok("refused password");
  }

  /** Published with confirms, consumed in order with a prefetch and manual acknowledgements. */
  private static void publishAndConsume(Connection connection) throws Exception {
    try (Channel channel = connection.createChannel()) {
      channel.queueDeclare("java.orders", true, false, false, null);
      channel.confirmSelect();
      for (int number = 0; number < COUNT; ++number) {
        channel.basicPublish("", "java.orders", PERSISTENT, bytes(String.valueOf(number)));
      }
      channel.waitForConfirmsOrDie();
      channel.basicQos(20);
      BlockingQueue<String> arrived = new LinkedBlockingQueue<>();
      String consumer = channel.basicConsume("java.orders", false, (tag, delivery) -> {
        channel.basicAck(delivery.getEnvelope().getDeliveryTag(), false);
        arrived.add(text(delivery.getBody()));
      }, tag -> {});
      for (int number = 0; number < COUNT; ++number) {
        check("order", String.valueOf(number), arrived.take());
      }
      channel.basicCancel(consumer);
      check("left", 0L, channel.messageCount("java.orders"));
      channel.queueDelete("java.orders");
    }
    ok("publish and consume");
  }

  private static void requeue(Connection connection) throws Exception {
    try (Channel channel = connection.createChannel()) {
      String queue = privateQueue(channel, null);
      channel.basicPublish("", queue, PERSISTENT, bytes("again"));
      GetResponse first = channel.basicGet(queue, false);
      check("redelivered", false, first.getEnvelope().isRedeliver());
      channel.basicReject(first.getEnvelope().getDeliveryTag(), true);
      GetResponse second = channel.basicGet(queue, false);
      check("redelivered", true, second.getEnvelope().isRedeliver());
      channel.basicAck(second.getEnvelope().getDeliveryTag(), false);
      check("empty", null, channel.basicGet(queue, true));
    }
    ok("requeue");
  }

  private static void deadLetter(Connection connection) throws Exception {
    try (Channel channel = connection.createChannel()) {
      channel.exchangeDeclare("java.dead", BuiltinExchangeType.FANOUT, false, true, null);
      String dead = privateQueue(channel, null);
      channel.queueBind(dead, "java.dead", "");
      String queue = privateQueue(channel, Map.of("x-dead-letter-exchange", "java.dead"));
      channel.basicPublish("", queue, PERSISTENT, bytes("bad"));
      GetResponse bad = channel.basicGet(queue, false);
      channel.basicNack(bad.getEnvelope().getDeliveryTag(), false, false);
      Delivery delivery = consume(channel, dead).take();
      Map<String, Object> headers = delivery.getProperties().getHeaders();
      Map<?, ?> death = (Map<?, ?>) ((List<?>) headers.get("x-death")).get(0);
      check("body", "bad", text(delivery.getBody()));
      check("reason", "rejected", death.get("reason").toString());
      check("queue", queue, death.get("queue").toString());
      check("count", 1L, death.get("count"));
      check("first queue", queue, headers.get("x-first-death-queue").toString());
    }
    ok("dead letter");
  }

  private static void returned(Connection connection) throws Exception {
    try (Channel channel = connection.createChannel()) {
      BlockingQueue<Return> back = new LinkedBlockingQueue<>();
      channel.addReturnListener(back::add);
      channel.basicPublish("", "java.nobody", true, PERSISTENT, bytes("lost"));
      Return message = back.take();
      check("code", AMQP.NO_ROUTE, message.getReplyCode());
      check("body", "lost", text(message.getBody()));
    }
    ok("returned");
  }

  private static Map<String, Object> headers(Date now) {
    Map<String, Object> headers = new HashMap<>();
    headers.put("byte", (byte) -7);
    headers.put("short", (short) -300);
    headers.put("int", -70000);
    headers.put("long", 1L << 40);
    headers.put("float", 0.5f);
    headers.put("double", 0.25);
    headers.put("decimal", new BigDecimal("3.14"));
    headers.put("truth", true);
    headers.put("nothing", null);
    headers.put("time", now);
    headers.put("table", Map.of("deep", Map.of("er", 1)));
    headers.put("list", Arrays.asList(1, 2L, false));
    return headers;
  }

  private static void properties(Connection connection) throws Exception {
    Date now = new Date(System.currentTimeMillis() / 1000 * 1000);
    Map<String, Object> headers = headers(now);
    headers.put("text", "ä");
    AMQP.BasicProperties sent = new AMQP.BasicProperties.Builder()
        .headers(headers).contentType("text/plain").contentEncoding("utf-8").deliveryMode(2)
        .priority(5).correlationId("7").replyTo("somewhere").expiration("60000").messageId("id")
        .timestamp(now).type("order").userId("guest").appId("journey").build();
    try (Channel channel = connection.createChannel()) {
      String queue = privateQueue(channel, null);
      channel.basicPublish("", queue, sent, bytes("all"));
      AMQP.BasicProperties got = channel.basicGet(queue, true).getProps();
      LongString text = (LongString) got.getHeaders().remove("text");
      check("text", "ä", text(text.getBytes()));
      check("headers", headers(now), got.getHeaders());
      check("properties", sent.builder().headers(null).build().toString(),
          got.builder().headers(null).build().toString());
    }
    ok("properties");
  }

  private static void precondition(Connection connection) throws Exception {
    try (Channel channel = connection.createChannel()) {
      channel.queueDeclare("java.args", false, true, false, null);
      Channel other = connection.createChannel();
      IOException error = errorOf(IOException.class, () -> other.queueDeclare(
          "java.args", false, true, false, Map.of("x-max-length", 1)));
      ShutdownSignalException why = (ShutdownSignalException) error.getCause();
      AMQP.Channel.Close close = (AMQP.Channel.Close) why.getReason();
      check("code", AMQP.PRECONDITION_FAILED, close.getReplyCode());
      check("other open", false, other.isOpen());
      channel.queueDeclarePassive("java.args");
    }
    ok("precondition");
  }

  private static void replyTo(Connection connection) throws Exception {
    try (Channel channel = connection.createChannel()) {
      String requests = privateQueue(channel, null);
      channel.basicConsume(requests, true, (tag, request) -> channel.basicPublish(
          "", request.getProperties().getReplyTo(),
          new AMQP.BasicProperties.Builder()
              .correlationId(request.getProperties().getCorrelationId()).build(),
          bytes(text(request.getBody()).toUpperCase())), tag -> {});
      BlockingQueue<Delivery> replies = consume(channel, "amq.rabbitmq.reply-to");
      for (String word : List.of("one", "two")) {
        channel.basicPublish("", requests, new AMQP.BasicProperties.Builder()
            .correlationId(word).replyTo("amq.rabbitmq.reply-to").build(), bytes(word));
        Delivery reply = replies.take();
        check("reply", word.toUpperCase(), text(reply.getBody()));
        check("correlation", word, reply.getProperties().getCorrelationId());
      }
    }
    ok("reply-to");
  }

  private static void transaction(Connection connection) throws Exception {
    try (Channel channel = connection.createChannel()) {
      channel.txSelect();
      String queue = privateQueue(channel, null);
      channel.basicPublish("", queue, PERSISTENT, bytes("kept"));
      channel.txCommit();
      channel.basicPublish("", queue, PERSISTENT, bytes("forgotten"));
      channel.txRollback();
      check("committed", "kept", text(channel.basicGet(queue, true).getBody()));
      check("rolled back", null, channel.basicGet(queue, true));
    }
    ok("transaction");
  }

  private static void deletedQueue(Connection connection) throws Exception {
    try (Channel channel = connection.createChannel()) {
      BlockingQueue<String> cancelled = new LinkedBlockingQueue<>();
      channel.queueDeclare("java.gone", false, false, false, null);
      String consumer = channel.basicConsume("java.gone", (tag, delivery) -> {}, cancelled::add);
      channel.queueDelete("java.gone");
      check("cancelled", consumer, cancelled.take());
    }
    ok("deleted queue");
  }

  /** The client opens, declares, binds and consumes again by itself. */
  private static void recovery(Connection connection) throws Exception {
    CountDownLatch recovered = new CountDownLatch(1);
    ((Recoverable) connection).addRecoveryListener(new RecoveryListener() {
      @Override
      public void handleRecovery(Recoverable recoverable) {
        recovered.countDown();
      }

      @Override
      public void handleRecoveryStarted(Recoverable recoverable) {}
    });
    Channel channel = connection.createChannel();
    channel.confirmSelect();
    channel.exchangeDeclare("java.robust", BuiltinExchangeType.TOPIC, true);
    channel.queueDeclare("java.robust", true, false, false, null);
    channel.queueBind("java.robust", "java.robust", "a.#");
    String own = privateQueue(channel, null);
    channel.queueBind(own, "java.robust", "#");
    List<BlockingQueue<Delivery>> arrived =
        List.of(consume(channel, "java.robust"), consume(channel, own));
    channel.basicPublish("java.robust", "a.b", PERSISTENT, bytes("before"));
    for (BlockingQueue<Delivery> each : arrived) {
      check("before", "before", text(each.take().getBody()));
    }
    channel.waitForConfirms();
    System.out.println("restart the broker");
    recovered.await();
    channel.basicPublish("java.robust", "a.b.c", PERSISTENT, bytes("after"));
    for (BlockingQueue<Delivery> each : arrived) {
      check("after", "after", text(each.take().getBody()));
    }
    channel.queueDelete("java.robust");
    channel.exchangeDelete("java.robust");
    ok("recovery");
  }

  public static void main(String[] address) throws Exception {
    ConnectionFactory factory = factory(address);
    refusedPassword(factory);
    List<Step> steps = List.of(Journey::publishAndConsume, Journey::requeue, Journey::deadLetter,
        Journey::returned, Journey::properties, Journey::precondition, Journey::replyTo,
        Journey::transaction, Journey::deletedQueue, Journey::recovery);
    try (Connection connection = factory.newConnection("journey")) {
      for (Step step : steps) {
        step.run(connection);
      }
    }
  }
}
