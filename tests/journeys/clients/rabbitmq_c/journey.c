/* What an application written with rabbitmq-c does, against the broker at HOST PORT.
 * Prints a line for each step that went well; ends with 0, or with a message and 1. */

#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { COUNT = 500, PREFETCH = 20, HEARTBEAT_S = 5 };

static const char* host;
static int port;

#define CHECK(what)                                              \
  do {                                                           \
    if (!(what)) {                                               \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what); \
      exit(1);                                                   \
    }                                                            \
  } while (0)

static void ok(const char* step) {
  printf("ok: %s\n", step);
}

static amqp_bytes_t bytes(const char* text) {
  return amqp_cstring_bytes(text);
}

static bool same(amqp_bytes_t got, const char* expected) {
  return got.len == strlen(expected) && memcmp(got.bytes, expected, got.len) == 0;
}

static void expect_normal(amqp_rpc_reply_t reply, int line) {
  if (reply.reply_type == AMQP_RESPONSE_NORMAL) return;
  fprintf(stderr, "%s:%d: ", __FILE__, line);
  if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) {
    fprintf(stderr, "%s\n", amqp_error_string2(reply.library_error));
  } else if (reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
    const amqp_channel_close_t* close = reply.reply.decoded;
    fprintf(stderr, "%.*s\n", (int)close->reply_text.len, (char*)close->reply_text.bytes);
  } else {
    fprintf(stderr, "%s\n", amqp_method_name(reply.reply.id));
  }
  exit(1);
}

#define EXPECT_NORMAL(reply) expect_normal(reply, __LINE__)

static amqp_table_entry_t entry_of(const char* key, uint8_t kind) {
  amqp_table_entry_t entry = {.key = bytes(key), .value.kind = kind};
  return entry;
}

static amqp_table_entry_t text_entry(const char* key, const char* text) {
  amqp_table_entry_t entry = entry_of(key, AMQP_FIELD_KIND_UTF8);
  entry.value.value.bytes = bytes(text);
  return entry;
}

static const amqp_field_value_t* find(amqp_table_t table, const char* key) {
  for (int i = 0; i < table.num_entries; ++i)
    if (same(table.entries[i].key, key)) return &table.entries[i].value;
  fprintf(stderr, "no header %s\n", key);
  exit(1);
}

/* NULL when nobody listens there. */
static amqp_connection_state_t dial(const char* password, amqp_rpc_reply_t* reply) {
  amqp_connection_state_t connection = amqp_new_connection();
  amqp_socket_t* socket = amqp_tcp_socket_new(connection);
  CHECK(socket != NULL);
  if (amqp_socket_open(socket, host, port) != AMQP_STATUS_OK) {
    amqp_destroy_connection(connection);
    return NULL;
  }
  /* Without this capability the broker cancels consumers in silence. */
  amqp_table_entry_t capability = entry_of("consumer_cancel_notify", AMQP_FIELD_KIND_BOOLEAN);
  capability.value.value.boolean = 1;
  amqp_table_entry_t entries[] = {text_entry("connection_name", "journey"),
                                  entry_of("capabilities", AMQP_FIELD_KIND_TABLE)};
  entries[1].value.value.table = (amqp_table_t){1, &capability};
  const amqp_table_t properties = {2, entries};
  *reply = amqp_login_with_properties(connection, "/", AMQP_DEFAULT_MAX_CHANNELS,
                                      AMQP_DEFAULT_FRAME_SIZE, HEARTBEAT_S, &properties,
                                      AMQP_SASL_METHOD_PLAIN, "guest", password);
  return connection;
}

static void open_channel(amqp_connection_state_t connection, amqp_channel_t channel) {
  amqp_channel_open(connection, channel);
  EXPECT_NORMAL(amqp_get_rpc_reply(connection));
}

static void close_channel(amqp_connection_state_t connection, amqp_channel_t channel) {
  amqp_maybe_release_buffers_on_channel(connection, channel);
  EXPECT_NORMAL(amqp_channel_close(connection, channel, AMQP_REPLY_SUCCESS));
}

/* The name of a queue of this connection alone; to be freed. */
static amqp_bytes_t private_queue(amqp_connection_state_t connection, amqp_channel_t channel,
                                  const char* name, amqp_table_t arguments) {
  const amqp_queue_declare_ok_t* declared =
      amqp_queue_declare(connection, channel, bytes(name), 0, 0, 1, 0, arguments);
  EXPECT_NORMAL(amqp_get_rpc_reply(connection));
  return amqp_bytes_malloc_dup(declared->queue);
}

static void durable_queue(amqp_connection_state_t connection, const char* name) {
  amqp_queue_declare(connection, 1, bytes(name), 0, 1, 0, 0, amqp_empty_table);
  EXPECT_NORMAL(amqp_get_rpc_reply(connection));
}

static void publish(amqp_connection_state_t connection, amqp_bytes_t queue, const char* body) {
  const amqp_basic_properties_t properties = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG,
                                              .delivery_mode = AMQP_DELIVERY_PERSISTENT};
  CHECK(amqp_basic_publish(connection, 1, amqp_empty_bytes, queue, 0, 0, &properties,
                           bytes(body)) == AMQP_STATUS_OK);
}

static void await_confirm(amqp_connection_state_t connection, uint64_t tag) {
  amqp_frame_t frame;
  do {
    CHECK(amqp_simple_wait_frame(connection, &frame) == AMQP_STATUS_OK);
    CHECK(frame.frame_type == AMQP_FRAME_METHOD);
    CHECK(frame.payload.method.id == AMQP_BASIC_ACK_METHOD);
  } while (((amqp_basic_ack_t*)frame.payload.method.decoded)->delivery_tag < tag);
}

/* False when the queue is empty; the message is to be destroyed. */
static bool get(amqp_connection_state_t connection, amqp_bytes_t queue, bool no_ack,
                amqp_message_t* message, uint64_t* tag, bool* redelivered) {
  const amqp_rpc_reply_t reply = amqp_basic_get(connection, 1, queue, no_ack);
  EXPECT_NORMAL(reply);
  if (reply.reply.id == AMQP_BASIC_GET_EMPTY_METHOD) return false;
  const amqp_basic_get_ok_t* got = reply.reply.decoded;
  *tag = got->delivery_tag;
  *redelivered = got->redelivered;
  EXPECT_NORMAL(amqp_read_message(connection, 1, message, 0));
  return true;
}

static bool is_empty(amqp_connection_state_t connection, amqp_bytes_t queue) {
  amqp_message_t message;
  uint64_t tag;
  bool redelivered;
  return !get(connection, queue, true, &message, &tag, &redelivered);
}

static void consume(amqp_connection_state_t connection, amqp_bytes_t queue, const char* tag,
                    bool no_ack) {
  amqp_basic_consume(connection, 1, queue, bytes(tag), 0, no_ack, 0, amqp_empty_table);
  EXPECT_NORMAL(amqp_get_rpc_reply(connection));
}

static void refused_password(void) {
  amqp_rpc_reply_t reply;
  amqp_connection_state_t connection = dial("wrong", &reply);
  CHECK(reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION);
  CHECK(reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD);
  CHECK(((amqp_connection_close_t*)reply.reply.decoded)->reply_code == AMQP_ACCESS_REFUSED);
  amqp_destroy_connection(connection);
  ok("refused password");
}

/* Published with confirms, consumed in order with a prefetch and manual acknowledgements. */
static void publish_and_consume(amqp_connection_state_t connection) {
  open_channel(connection, 1);
  durable_queue(connection, "c.orders");
  amqp_confirm_select(connection, 1);
  EXPECT_NORMAL(amqp_get_rpc_reply(connection));
  char body[16];
  for (int number = 0; number < COUNT; ++number) {
    snprintf(body, sizeof body, "%d", number);
    publish(connection, bytes("c.orders"), body);
  }
  await_confirm(connection, COUNT);
  amqp_basic_qos(connection, 1, 0, PREFETCH, 0);
  EXPECT_NORMAL(amqp_get_rpc_reply(connection));
  consume(connection, bytes("c.orders"), "orders", false);
  for (int number = 0; number < COUNT; ++number) {
    amqp_envelope_t envelope;
    amqp_maybe_release_buffers(connection);
    EXPECT_NORMAL(amqp_consume_message(connection, &envelope, NULL, 0));
    snprintf(body, sizeof body, "%d", number);
    CHECK(same(envelope.message.body, body));
    CHECK(amqp_basic_ack(connection, 1, envelope.delivery_tag, 0) == AMQP_STATUS_OK);
    amqp_destroy_envelope(&envelope);
  }
  amqp_basic_cancel(connection, 1, bytes("orders"));
  EXPECT_NORMAL(amqp_get_rpc_reply(connection));
  const amqp_queue_delete_ok_t* deleted = amqp_queue_delete(connection, 1, bytes("c.orders"), 0, 0);
  EXPECT_NORMAL(amqp_get_rpc_reply(connection));
  CHECK(deleted->message_count == 0);
  close_channel(connection, 1);
  ok("publish and consume");
}

static void requeue(amqp_connection_state_t connection) {
  open_channel(connection, 1);
  const amqp_bytes_t queue = private_queue(connection, 1, "", amqp_empty_table);
  publish(connection, queue, "again");
  amqp_message_t message;
  uint64_t tag;
  bool redelivered;
  CHECK(get(connection, queue, false, &message, &tag, &redelivered) && !redelivered);
  amqp_destroy_message(&message);
  CHECK(amqp_basic_reject(connection, 1, tag, 1) == AMQP_STATUS_OK);
  CHECK(get(connection, queue, false, &message, &tag, &redelivered) && redelivered);
  amqp_destroy_message(&message);
  CHECK(amqp_basic_ack(connection, 1, tag, 0) == AMQP_STATUS_OK);
  CHECK(is_empty(connection, queue));
  amqp_bytes_free(queue);
  close_channel(connection, 1);
  ok("requeue");
}

static void dead_letter(amqp_connection_state_t connection) {
  open_channel(connection, 1);
  amqp_exchange_declare(connection, 1, bytes("c.dead"), bytes("fanout"), 0, 0, 1, 0,
                        amqp_empty_table);
  EXPECT_NORMAL(amqp_get_rpc_reply(connection));
  const amqp_bytes_t dead = private_queue(connection, 1, "c.dead", amqp_empty_table);
  amqp_queue_bind(connection, 1, dead, bytes("c.dead"), amqp_empty_bytes, amqp_empty_table);
  EXPECT_NORMAL(amqp_get_rpc_reply(connection));
  amqp_table_entry_t argument = text_entry("x-dead-letter-exchange", "c.dead");
  const amqp_bytes_t queue = private_queue(connection, 1, "c.bad", (amqp_table_t){1, &argument});
  publish(connection, queue, "bad");
  amqp_message_t message;
  uint64_t tag;
  bool redelivered;
  CHECK(get(connection, queue, false, &message, &tag, &redelivered));
  amqp_destroy_message(&message);
  consume(connection, dead, "dead", true);
  CHECK(amqp_basic_nack(connection, 1, tag, 0, 0) == AMQP_STATUS_OK);
  amqp_envelope_t envelope;
  EXPECT_NORMAL(amqp_consume_message(connection, &envelope, NULL, 0));
  CHECK(same(envelope.message.body, "bad"));
  const amqp_table_t headers = envelope.message.properties.headers;
  const amqp_array_t deaths = find(headers, "x-death")->value.array;
  CHECK(deaths.num_entries == 1);
  const amqp_table_t death = deaths.entries[0].value.table;
  CHECK(same(find(death, "reason")->value.bytes, "rejected"));
  CHECK(same(find(death, "queue")->value.bytes, "c.bad"));
  CHECK(find(death, "count")->value.i64 == 1);
  CHECK(same(find(headers, "x-first-death-queue")->value.bytes, "c.bad"));
  amqp_destroy_envelope(&envelope);
  amqp_bytes_free(queue);
  amqp_bytes_free(dead);
  close_channel(connection, 1);
  ok("dead letter");
}

static void returned(amqp_connection_state_t connection) {
  open_channel(connection, 1);
  CHECK(amqp_basic_publish(connection, 1, amqp_empty_bytes, bytes("c.nobody"), 1, 0, NULL,
                           bytes("lost")) == AMQP_STATUS_OK);
  amqp_frame_t frame;
  CHECK(amqp_simple_wait_frame(connection, &frame) == AMQP_STATUS_OK);
  CHECK(frame.payload.method.id == AMQP_BASIC_RETURN_METHOD);
  const amqp_basic_return_t* back = frame.payload.method.decoded;
  CHECK(back->reply_code == AMQP_NO_ROUTE && same(back->routing_key, "c.nobody"));
  amqp_message_t message;
  EXPECT_NORMAL(amqp_read_message(connection, 1, &message, 0));
  CHECK(same(message.body, "lost"));
  amqp_destroy_message(&message);
  close_channel(connection, 1);
  ok("returned");
}

static void check_properties(const amqp_basic_properties_t* got, uint64_t now) {
  CHECK(same(got->content_type, "text/plain") && same(got->content_encoding, "utf-8"));
  CHECK(got->delivery_mode == AMQP_DELIVERY_PERSISTENT && got->priority == 5);
  CHECK(same(got->correlation_id, "7") && same(got->reply_to, "somewhere"));
  CHECK(same(got->expiration, "60000") && same(got->message_id, "id"));
  CHECK(got->timestamp == now && same(got->type, "order"));
  CHECK(same(got->user_id, "guest") && same(got->app_id, "journey"));
  CHECK(find(got->headers, "byte")->value.i8 == -7);
  CHECK(find(got->headers, "long")->value.i64 == 1LL << 40);
  CHECK(find(got->headers, "double")->value.f64 == 0.25);
  CHECK(find(got->headers, "truth")->value.boolean == 1);
  CHECK(find(got->headers, "nothing")->kind == AMQP_FIELD_KIND_VOID);
  CHECK(find(got->headers, "time")->value.u64 == now);
  CHECK(same(find(got->headers, "text")->value.bytes, "ä"));
  CHECK(same(find(find(got->headers, "table")->value.table, "deep")->value.bytes, "er"));
}

static void properties(amqp_connection_state_t connection) {
  const uint64_t now = (uint64_t)time(NULL);
  amqp_table_entry_t deep = text_entry("deep", "er");
  amqp_table_entry_t headers[] = {
      text_entry("text", "ä"),
      entry_of("byte", AMQP_FIELD_KIND_I8),
      entry_of("long", AMQP_FIELD_KIND_I64),
      entry_of("double", AMQP_FIELD_KIND_F64),
      entry_of("truth", AMQP_FIELD_KIND_BOOLEAN),
      entry_of("time", AMQP_FIELD_KIND_TIMESTAMP),
      entry_of("table", AMQP_FIELD_KIND_TABLE),
      entry_of("nothing", AMQP_FIELD_KIND_VOID),
  };
  headers[1].value.value.i8 = -7;
  headers[2].value.value.i64 = 1LL << 40;
  headers[3].value.value.f64 = 0.25;
  headers[4].value.value.boolean = 1;
  headers[5].value.value.u64 = now;
  headers[6].value.value.table = (amqp_table_t){1, &deep};
  const amqp_basic_properties_t sent = {
      ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_CONTENT_ENCODING_FLAG |
                AMQP_BASIC_HEADERS_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_PRIORITY_FLAG |
                AMQP_BASIC_CORRELATION_ID_FLAG | AMQP_BASIC_REPLY_TO_FLAG |
                AMQP_BASIC_EXPIRATION_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG |
                AMQP_BASIC_TIMESTAMP_FLAG | AMQP_BASIC_TYPE_FLAG | AMQP_BASIC_USER_ID_FLAG |
                AMQP_BASIC_APP_ID_FLAG,
      .content_type = bytes("text/plain"),
      .content_encoding = bytes("utf-8"),
      .headers = {sizeof headers / sizeof headers[0], headers},
      .delivery_mode = AMQP_DELIVERY_PERSISTENT,
      .priority = 5,
      .correlation_id = bytes("7"),
      .reply_to = bytes("somewhere"),
      .expiration = bytes("60000"),
      .message_id = bytes("id"),
      .timestamp = now,
      .type = bytes("order"),
      .user_id = bytes("guest"),
      .app_id = bytes("journey")};
  open_channel(connection, 1);
  const amqp_bytes_t queue = private_queue(connection, 1, "", amqp_empty_table);
  CHECK(amqp_basic_publish(connection, 1, amqp_empty_bytes, queue, 0, 0, &sent, bytes("all")) ==
        AMQP_STATUS_OK);
  amqp_message_t message;
  uint64_t tag;
  bool redelivered;
  CHECK(get(connection, queue, true, &message, &tag, &redelivered));
  CHECK(message.properties._flags == sent._flags);
  check_properties(&message.properties, now);
  amqp_destroy_message(&message);
  amqp_bytes_free(queue);
  close_channel(connection, 1);
  ok("properties");
}

static void precondition(amqp_connection_state_t connection) {
  open_channel(connection, 1);
  open_channel(connection, 2);
  amqp_bytes_free(private_queue(connection, 1, "c.args", amqp_empty_table));
  amqp_table_entry_t argument = entry_of("x-max-length", AMQP_FIELD_KIND_I32);
  argument.value.value.i32 = 1;
  amqp_queue_declare(connection, 2, bytes("c.args"), 0, 0, 1, 0, (amqp_table_t){1, &argument});
  const amqp_rpc_reply_t reply = amqp_get_rpc_reply(connection);
  CHECK(reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION);
  CHECK(reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD);
  const amqp_channel_close_t* close = reply.reply.decoded;
  CHECK(close->reply_code == AMQP_PRECONDITION_FAILED);
  amqp_channel_close_ok_t closed = {.dummy = 0};
  CHECK(amqp_send_method(connection, 2, AMQP_CHANNEL_CLOSE_OK_METHOD, &closed) == AMQP_STATUS_OK);
  amqp_queue_declare(connection, 1, bytes("c.args"), 1, 0, 1, 0, amqp_empty_table);
  EXPECT_NORMAL(amqp_get_rpc_reply(connection));
  close_channel(connection, 1);
  ok("precondition");
}

static void publish_with(amqp_connection_state_t connection, amqp_bytes_t key, const char* body,
                         const char* reply_to) {
  amqp_basic_properties_t properties = {._flags = AMQP_BASIC_CORRELATION_ID_FLAG,
                                        .correlation_id = bytes("id")};
  if (reply_to != NULL) {
    properties._flags |= AMQP_BASIC_REPLY_TO_FLAG;
    properties.reply_to = bytes(reply_to);
  }
  CHECK(amqp_basic_publish(connection, 1, amqp_empty_bytes, key, 0, 0, &properties, bytes(body)) ==
        AMQP_STATUS_OK);
}

static void reply_to(amqp_connection_state_t connection) {
  open_channel(connection, 1);
  const amqp_bytes_t requests = private_queue(connection, 1, "", amqp_empty_table);
  consume(connection, requests, "requests", true);
  consume(connection, bytes("amq.rabbitmq.reply-to"), "replies", true);
  amqp_envelope_t envelope;
  publish_with(connection, requests, "question", "amq.rabbitmq.reply-to");
  EXPECT_NORMAL(amqp_consume_message(connection, &envelope, NULL, 0));
  CHECK(same(envelope.message.body, "question"));
  publish_with(connection, envelope.message.properties.reply_to, "answer", NULL);
  amqp_destroy_envelope(&envelope);
  EXPECT_NORMAL(amqp_consume_message(connection, &envelope, NULL, 0));
  CHECK(same(envelope.consumer_tag, "replies") && same(envelope.message.body, "answer"));
  CHECK(same(envelope.message.properties.correlation_id, "id"));
  amqp_destroy_envelope(&envelope);
  amqp_bytes_free(requests);
  close_channel(connection, 1);
  ok("reply-to");
}

static void transaction(amqp_connection_state_t connection) {
  open_channel(connection, 1);
  const amqp_bytes_t queue = private_queue(connection, 1, "", amqp_empty_table);
  amqp_tx_select(connection, 1);
  EXPECT_NORMAL(amqp_get_rpc_reply(connection));
  publish(connection, queue, "kept");
  amqp_tx_commit(connection, 1);
  EXPECT_NORMAL(amqp_get_rpc_reply(connection));
  publish(connection, queue, "forgotten");
  amqp_tx_rollback(connection, 1);
  EXPECT_NORMAL(amqp_get_rpc_reply(connection));
  amqp_message_t message;
  uint64_t tag;
  bool redelivered;
  CHECK(get(connection, queue, true, &message, &tag, &redelivered) && same(message.body, "kept"));
  amqp_destroy_message(&message);
  CHECK(is_empty(connection, queue));
  amqp_bytes_free(queue);
  close_channel(connection, 1);
  ok("transaction");
}

static void deleted_queue(amqp_connection_state_t connection) {
  open_channel(connection, 1);
  open_channel(connection, 2);
  amqp_bytes_free(private_queue(connection, 1, "c.gone", amqp_empty_table));
  consume(connection, bytes("c.gone"), "tag", true);
  amqp_queue_delete(connection, 2, bytes("c.gone"), 0, 0);
  EXPECT_NORMAL(amqp_get_rpc_reply(connection));
  amqp_frame_t frame;
  CHECK(amqp_simple_wait_frame(connection, &frame) == AMQP_STATUS_OK);
  CHECK(frame.channel == 1 && frame.payload.method.id == AMQP_BASIC_CANCEL_METHOD);
  CHECK(same(((amqp_basic_cancel_t*)frame.payload.method.decoded)->consumer_tag, "tag"));
  close_channel(connection, 2);
  close_channel(connection, 1);
  ok("deleted queue");
}

static void close_connection(amqp_connection_state_t connection) {
  EXPECT_NORMAL(amqp_connection_close(connection, AMQP_REPLY_SUCCESS));
  CHECK(amqp_destroy_connection(connection) == AMQP_STATUS_OK);
}

/* The client has no recovery of its own; an application is told and connects again. */
static void recovery(amqp_connection_state_t connection) {
  open_channel(connection, 1);
  durable_queue(connection, "c.kept");
  amqp_confirm_select(connection, 1);
  EXPECT_NORMAL(amqp_get_rpc_reply(connection));
  publish(connection, bytes("c.kept"), "before");
  await_confirm(connection, 1);
  printf("restart the broker\n");
  amqp_frame_t frame;
  CHECK(amqp_simple_wait_frame(connection, &frame) == AMQP_STATUS_OK);
  CHECK(frame.channel == 0 && frame.payload.method.id == AMQP_CONNECTION_CLOSE_METHOD);
  const amqp_connection_close_t* close = frame.payload.method.decoded;
  CHECK(close->reply_code == AMQP_CONNECTION_FORCED);
  amqp_destroy_connection(connection);
  amqp_rpc_reply_t reply;
  const struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};
  while ((connection = dial("guest", &reply)) == NULL) nanosleep(&pause, NULL);
  EXPECT_NORMAL(reply);
  open_channel(connection, 1);
  amqp_message_t message;
  uint64_t tag;
  bool redelivered;
  CHECK(get(connection, bytes("c.kept"), true, &message, &tag, &redelivered));
  CHECK(same(message.body, "before"));
  amqp_destroy_message(&message);
  amqp_queue_delete(connection, 1, bytes("c.kept"), 0, 0);
  EXPECT_NORMAL(amqp_get_rpc_reply(connection));
  close_connection(connection);
  ok("recovery");
}

int main(int argc, char** argv) {
  CHECK(argc == 3);
  host = argv[1];
  port = atoi(argv[2]);
  setvbuf(stdout, NULL, _IOLBF, 0);
  refused_password();
  amqp_rpc_reply_t reply;
  amqp_connection_state_t connection = dial("guest", &reply);
  CHECK(connection != NULL);
  EXPECT_NORMAL(reply);
  void (*const steps[])(amqp_connection_state_t) = {
      publish_and_consume, requeue,  dead_letter, returned,      properties,
      precondition,        reply_to, transaction, deleted_queue, recovery};
  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; ++i) steps[i](connection);
  return 0;
}
