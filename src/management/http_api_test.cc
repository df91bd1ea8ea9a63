#include "management/http_api.h"

#include <doctest/doctest.h>

#include "broker/password.h"
#include "management/fake_operations.h"
#include "management/json.h"

using namespace warren;
using namespace warren::management;

namespace {

struct Fixture {
  FakeOperations operations;
  HttpApi api{operations};
  std::string credentials = "guest:guest";

  HttpResponse ask(std::string method, std::string target, std::string body = "") {
    HttpRequest request;
    request.method = std::move(method);
    const std::size_t question = target.find('?');
    request.path = target.substr(0, question);
    if (question != std::string::npos) request.query = target.substr(question + 1);
    request.body = std::move(body);
    if (!credentials.empty())
      request.authorization = "Basic " + broker::encode_base64(credentials);
    request.peer_host = "127.0.0.1";
    HttpResponse answer;
    answer.status = 0;
    api.handle(request, [&](HttpResponse response) { answer = std::move(response); });
    operations.run();
    CHECK(operations.open_channels() == 0);
    return answer;
  }
  int status(std::string method, std::string target, std::string body = "") {
    return ask(std::move(method), std::move(target), std::move(body)).status;
  }
  std::string body(std::string method, std::string target, std::string content = "") {
    return ask(std::move(method), std::move(target), std::move(content)).body;
  }
};

constexpr const char* queue = "/api/queues/%2F/http.q";

}  // namespace

TEST_CASE_FIXTURE(Fixture, "who asks is checked first") {
  CHECK(body("GET", "/api/whoami") == R"({"name":"guest","tags":["administrator"]})");
  credentials = "guest:wrong";
  HttpResponse refused = ask("GET", "/api/overview");
  CHECK(refused.status == 401);
  CHECK(refused.body == R"({"error":"not_authorized","reason":"Login failed"})");
  credentials = "";
  CHECK(status("GET", "/api/overview") == 401);
  CHECK(status("GET", "/") == 200);
}

TEST_CASE_FIXTURE(Fixture, "what is not there is 404, what is not offered 405") {
  CHECK(body("GET", "/api/nosuch") ==
        R"({"error":"Object Not Found","reason":"Not Found"})");
  HttpResponse wrong = ask("PATCH", "/api/queues");
  CHECK(wrong.status == 405);
  CHECK(wrong.headers[0].second == "HEAD, GET, OPTIONS");
  CHECK(status("GET", "/api/queues/nosuch") == 404);
  CHECK(status("GET", "/api/nodes/nosuch@vm") == 500);
}

TEST_CASE_FIXTURE(Fixture, "a stopped application answers 503") {
  operations.state = AppState::stopped;
  CHECK(status("GET", "/api/overview") == 503);
}

TEST_CASE_FIXTURE(Fixture, "a queue is declared, compared, shown and deleted") {
  const std::string declaration =
      R"({"durable":true,"auto_delete":false,"arguments":{"x-message-ttl":100000}})";
  CHECK(status("PUT", queue, declaration) == 201);
  CHECK(status("PUT", queue, declaration) == 204);
  HttpResponse mismatch = ask("PUT", queue, R"({"durable":false})");
  CHECK(mismatch.status == 400);
  CHECK(mismatch.body ==
        R"({"error":"bad_request","reason":"inequivalent arg 'durable' for queue 'http.q' in )"
        R"(vhost '/': received 'false' but current is 'true'"})");
  const std::string shown = body("GET", queue);
  for (const char* part :
       {R"("name":"http.q")", R"("arguments":{"x-message-ttl":100000})", R"("messages":0)",
        R"("state":"running")", R"("node":"rabbit1@vm")", R"("policy":null)",
        R"("type":"classic")", R"("messages_details":{"rate":0.0})"})
    CHECK(shown.find(part) != std::string::npos);
  CHECK(status("DELETE", queue) == 204);
  CHECK(body("DELETE", queue) == R"({"error":"Object Not Found","reason":"Not Found"})");
}

TEST_CASE_FIXTURE(Fixture, "declarations that make no sense are named") {
  CHECK(body("PUT", queue, "{bad") == R"({"error":"bad_request","reason":"not_json"})");
  CHECK(body("PUT", queue, R"({"durable":"maybe"})") ==
        R"({"error":"bad_request","reason":["not_boolean","maybe"]})");
  CHECK(body("PUT", "/api/queues/nosuch/q", "{}") ==
        R"({"error":"not_found","reason":"vhost_not_found"})");
  CHECK(body("PUT", "/api/queues/%2F/amq.foo", "{}") ==
        R"({"error":"not_authorised","reason":"Access refused."})");
}

TEST_CASE_FIXTURE(Fixture, "messages are published and got") {
  CHECK(status("PUT", queue, "{}") == 201);
  const char* publish = "/api/exchanges/%2F/amq.default/publish";
  CHECK(body("POST", publish,
             R"({"properties":{"delivery_mode":2,"headers":{"a":1}},"routing_key":"http.q",)"
             R"("payload":"hello","payload_encoding":"string"})") == R"({"routed":true})");
  CHECK(body("POST", publish,
             R"({"properties":{},"routing_key":"http.q","payload":"/wAB",)"
             R"("payload_encoding":"base64"})") == R"({"routed":true})");
  CHECK(body("POST", publish,
             R"({"properties":{},"routing_key":"nosuch","payload":"x",)"
             R"("payload_encoding":"string"})") == R"({"routed":false})");
  const std::string get = std::string(queue) + "/get";
  const std::string keep = R"({"count":5,"ackmode":"ack_requeue_true","encoding":"auto"})";
  const std::string got = body("POST", get, keep);
  CHECK(got ==
        R"([{"payload_bytes":5,"redelivered":false,"exchange":"","routing_key":"http.q",)"
        R"("message_count":1,"properties":{"delivery_mode":2,"headers":{"a":1}},)"
        R"("payload":"hello","payload_encoding":"string"},)"
        R"({"payload_bytes":3,"redelivered":false,"exchange":"","routing_key":"http.q",)"
        R"("message_count":0,"properties":[],"payload":"/wAB","payload_encoding":"base64"}])");
  const std::string take = R"({"count":5,"ackmode":"ack_requeue_false","encoding":"base64"})";
  CHECK(body("POST", get, take).find("aGVsbG8=") != std::string::npos);
  CHECK(body("POST", get, take) == "[]");
  CHECK(body("POST", get, R"({"count":5,"requeue":true,"encoding":"auto"})") ==
        R"({"error":"bad_request","reason":"[{key_missing,ackmode}]"})");
  CHECK(body("POST", "/api/queues/%2F/nosuch/get", take) ==
        R"({"error":"not_found","reason":"NOT_FOUND - no queue 'nosuch' in vhost '/'"})");
}

TEST_CASE_FIXTURE(Fixture, "publishing names what is missing or unknown") {
  const char* publish = "/api/exchanges/%2F/amq.default/publish";
  CHECK(body("POST", publish, R"({"properties":{},"payload":"x"})") ==
        R"({"error":"bad_request","reason":"[{key_missing,routing_key},)"
        R"({key_missing,payload_encoding}]"})");
  CHECK(body("POST", "/api/exchanges/%2F/nosuch/publish",
             R"({"properties":{},"routing_key":"q","payload":"x","payload_encoding":"string"})") ==
        R"({"error":"bad_request","reason":"404 NOT_FOUND - no exchange 'nosuch' in vhost '/'"})");
  CHECK(body("POST", publish,
             R"({"properties":{},"routing_key":"q","payload":"x","payload_encoding":"foo"})") ==
        R"({"error":"bad_request","reason":["unsupported_encoding","foo"]})");
}

TEST_CASE_FIXTURE(Fixture, "a message goes by the keys in CC and BCC, too, and shows the first") {
  for (const char* name : {"a", "b", "c"})
    CHECK(status("PUT", std::string("/api/queues/%2F/") + name, "{}") == 201);
  auto publish = [&](const std::string& key, const std::string& properties) {
    return body("POST", "/api/exchanges/%2F/amq.default/publish",
                R"({"routing_key":")" + key + R"(","payload":"x","payload_encoding":"string",)" +
                    R"("properties":)" + properties + "}");
  };
  auto got = [&](const std::string& name) {
    const std::string got =
        body("POST", "/api/queues/%2F/" + name + "/get",
             R"({"count":5,"ackmode":"ack_requeue_false","encoding":"auto"})");
    std::string properties;
    constexpr std::string_view label = R"("properties":)";
    for (std::size_t at = got.find(label); at != std::string::npos; at = got.find(label, at + 1))
      properties += got.substr(at + label.size(), got.find(",\"payload\"", at) - at - label.size());
    return properties;
  };
  CHECK(publish("a", R"({"headers":{"CC":["b"],"BCC":["c"]}})") == R"({"routed":true})");
  for (const char* name : {"a", "b", "c"}) CHECK(got(name) == R"({"headers":{"CC":["b"]}})");
  CHECK(publish("nosuch", R"({"headers":{"BCC":["c"],"x":1}})") == R"({"routed":true})");
  CHECK(got("c") == R"({"headers":{"x":1}})");

  auto refusal = [&](const std::string& properties) {
    const std::string prefix = R"({"error":"bad_request","reason":)";
    const std::string text = publish("a", properties);
    CHECK(text.starts_with(prefix));
    return text.substr(std::min(text.size(), prefix.size()));
  };
  CHECK(refusal(R"({"headers":{"CC":"b"}})") ==
        R"("406 PRECONDITION_FAILED - invalid message: )"
        R"({unacceptable_type_in_header,\"CC\",longstr}"})");
  CHECK(refusal(R"({"expiration":"x"})") ==
        R"("406 PRECONDITION_FAILED - invalid expiration 'x': no_integer"})");
  CHECK(refusal(R"({"expiration":1000})") == R"(["not_string","expiration"]})");
  CHECK(refusal(R"({"priority":"5"})") == R"(["not_int","priority"]})");
  CHECK(refusal(R"({"priority":300})") == R"("priority is out of range"})");
  CHECK(refusal(R"({"delivery_mode":5})") ==
        R"("406 PRECONDITION_FAILED - invalid message: {delivery_mode_unknown,5}"})");
  CHECK(refusal(R"({"user_id":"other"})") ==
        R"("406 PRECONDITION_FAILED - user_id property set to 'other' but authenticated user )"
        R"(was 'guest'"})");
  CHECK(refusal(R"({"reply_to":"amq.rabbitmq.reply-to"})") ==
        R"("406 PRECONDITION_FAILED - fast reply consumer does not exist"})");
  CHECK(got("a") == "");
}

TEST_CASE_FIXTURE(Fixture, "permissions are those of AMQP") {
  auto make_user = [&](const std::string& name, const std::string& permission) {
    CHECK(status("PUT", "/api/users/" + name, R"({"password":"p","tags":"management"})") == 201);
    CHECK(status("PUT", "/api/permissions/%2F/" + name, permission) == 201);
  };
  make_user("topical", R"({"configure":".*","write":".*","read":".*"})");
  make_user("maker", R"({"configure":".*","write":"","read":""})");
  CHECK(status("PUT", "/api/topic-permissions/%2F/topical",
               R"({"exchange":"amq.topic","write":"^ok","read":"^ok"})") == 201);
  CHECK(status("PUT", queue, "{}") == 201);
  const std::string bindings = "/api/bindings/%2F/e/amq.topic/q/http.q";
  CHECK(status("POST", bindings, R"({"routing_key":"bad"})") == 201);

  credentials = "topical:p";
  const std::string refused = R"({"error":"not_authorised","reason":"Access refused."})";
  CHECK(status("POST", bindings, R"({"routing_key":"ok"})") == 201);
  CHECK(body("POST", bindings, R"({"routing_key":"bad.x"})") == refused);
  CHECK(body("DELETE", bindings + "/bad") == refused);
  CHECK(status("DELETE", bindings + "/ok") == 204);
  auto publish = [&](const std::string& exchange) {
    return body("POST", "/api/exchanges/%2F/" + exchange + "/publish",
                R"({"routing_key":"bad","payload":"x","payload_encoding":"string",)"
                R"("properties":{}})");
  };
  CHECK(publish("amq.topic") ==
        R"({"error":"bad_request","reason":"403 ACCESS_REFUSED - access to topic 'bad' in )"
        R"(exchange 'amq.topic' in vhost '/' refused for user 'topical'"})");

  credentials = "maker:p";
  CHECK(body("PUT", "/api/exchanges/%2F/x",
             R"({"arguments":{"alternate-exchange":"amq.direct"}})") == refused);
  CHECK(body("PUT", "/api/queues/%2F/q",
             R"({"arguments":{"x-dead-letter-exchange":"amq.direct"}})") == refused);
  CHECK(status("PUT", "/api/exchanges/%2F/x", "{}") == 201);
  CHECK(body("POST", std::string(queue) + "/get",
             R"({"count":5,"ackmode":"ack_requeue_true","encoding":"auto"})") ==
        R"({"error":"not_authorised","reason":"ACCESS_REFUSED - access to queue 'http.q' in )"
        R"(vhost '/' refused for user 'maker'"})");
  CHECK(publish("amq.default") ==
        R"({"error":"bad_request","reason":"403 ACCESS_REFUSED - access to exchange )"
        R"('amq.default' in vhost '/' refused for user 'maker'"})");
}

TEST_CASE_FIXTURE(Fixture, "exchanges that delay tell how many messages wait") {
  const std::string field = "messages_delayed";
  CHECK(body("GET", "/api/exchanges").find(field) == std::string::npos);
  catalog::Exchange exchange;
  exchange.name = {"/", "x"};
  exchange.type = "x-delayed-message";
  exchange.arguments = {{"x-delayed-type", "direct"}};
  REQUIRE(operations.apply(catalog::DeclareExchange{exchange}).has_value());
  CHECK(body("POST", "/api/exchanges/%2F/x/publish",
             R"({"routing_key":"k","payload":"x","payload_encoding":"string",)"
             R"("properties":{"headers":{"x-delay":60000}}})") == R"({"routed":false})");
  CHECK(body("GET", "/api/exchanges/%2F/x").find("\"" + field + "\":1") != std::string::npos);
  const std::string list = body("GET", "/api/exchanges?columns=name," + field);
  CHECK(list.find(R"({"messages_delayed":1,"name":"x"})") != std::string::npos);
  CHECK(list.find(R"({"name":"amq.topic"})") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "connections count once they are in a vhost") {
  ConnectionInfo connection;
  connection.id = catalog::ConnectionId{5};
  connection.name = "c";
  operations.known_connections = {connection};
  CHECK(body("GET", "/api/connections") == "[]");
  CHECK(body("GET", "/api/overview").find(R"("connections":0)") != std::string::npos);
  operations.known_connections[0].vhost = "/";
  CHECK(body("GET", "/api/connections?columns=name") == R"([{"name":"c"}])");
  CHECK(body("GET", "/api/overview").find(R"("connections":1)") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "the queue of one connection is left to it") {
  catalog::DeclareQueue declared;
  declared.queue.name = {"/", "http.q"};
  declared.queue.leader = operations.node_name();
  declared.queue.exclusive_owner = {{7}, operations.node_name()};
  REQUIRE(operations.apply(declared).has_value());
  const std::string bindings = "/api/bindings/%2F/e/amq.direct/q/http.q";
  REQUIRE(operations.apply(catalog::AddBinding{{{"/", "amq.direct"},
                                                catalog::DestinationKind::queue,
                                                "http.q",
                                                "k",
                                                {}}}).has_value());
  const std::string begin = R"({"error":"bad_request","reason":")",
                    locked = "cannot obtain exclusive access to locked queue 'http.q'";
  const std::string content = R"({"count":5,"ackmode":"ack_requeue_true","encoding":"auto"})";
  CHECK(body("PUT", queue, R"({"durable":false})").starts_with(begin + locked));
  CHECK(body("DELETE", queue).starts_with(begin + locked));
  CHECK(body("DELETE", std::string(queue) + "/contents").starts_with(begin + locked));
  CHECK(body("POST", bindings, "{}").starts_with(begin + locked));
  CHECK(body("DELETE", bindings + "/k").starts_with(begin + locked));
  CHECK(body("POST", std::string(queue) + "/get", content)
            .starts_with(begin + "405 RESOURCE_LOCKED - " + locked));
}

TEST_CASE_FIXTURE(Fixture, "the aliveness test puts a message through a queue") {
  CHECK(body("GET", "/api/aliveness-test/%2F") == R"({"status":"ok"})");
  CHECK(body("GET", "/api/aliveness-test/%2F") == R"({"status":"ok"})");
  CHECK(status("GET", "/api/aliveness-test/nosuch") == 404);
}

TEST_CASE_FIXTURE(Fixture, "policies come and go") {
  const char* policy = "/api/policies/%2F/hp";
  const char* definition =
      R"({"pattern":"^hp","definition":{"max-length":5},"priority":3,"apply-to":"queues"})";
  CHECK(status("PUT", policy, definition) == 201);
  CHECK(status("PUT", policy, definition) == 204);
  CHECK(body("GET", policy) ==
        R"({"vhost":"/","name":"hp","pattern":"^hp","apply-to":"queues",)"
        R"("definition":{"max-length":5},"priority":3})");
  CHECK(body("PUT", "/api/policies/%2F/hp2", R"({"pattern":"^hp","definition":{"nosuch":5}})") ==
        R"({"error":"bad_request","reason":"Validation failed\n\n)"
        R"([{&lt;&lt;\"nosuch\"&gt;&gt;,5}] are not recognised policy settings\n"})");
  CHECK(body("PUT", "/api/operator-policies/%2F/o",
             R"({"pattern":"^hp","definition":{"nosuch":5}})") ==
        R"({"error":"bad_request","reason":"Validation failed\n\n)"
        R"([{<<\"nosuch\">>,5}] are not recognised policy settings\n"})");
  CHECK(body("PUT", policy, R"({"pattern":1,"definition":{"max-length":5}})") ==
        R"({"error":"bad_request","reason":"Validation failed\n\n)"
        R"(pattern should be a binary but was 1\n"})");
  CHECK(body("PUT", policy, R"({"pattern":"a","definition":{"max-length":5},"priority":"5"})") ==
        R"({"error":"bad_request","reason":"Validation failed\n\npriority should be a number, )"
        R"(actually was &lt;&lt;\"5\"&gt;&gt;\n"})");
  CHECK(status("DELETE", policy) == 204);
  CHECK(status("DELETE", policy) == 404);
}

TEST_CASE_FIXTURE(Fixture, "limits of vhosts and users") {
  const char* limit = "/api/vhost-limits/%2F/max-queues";
  CHECK(body("GET", "/api/vhost-limits") == "[]");
  CHECK(status("PUT", limit, R"({"value":7})") == 204);
  CHECK(body("GET", "/api/vhost-limits/%2F") == R"([{"vhost":"/","value":{"max-queues":7}}])");
  CHECK(body("GET", "/api/parameters/vhost-limits") ==
        R"([{"value":{"max-queues":7},"vhost":"/","component":"vhost-limits","name":"limits"}])");
  CHECK(body("GET", "/api/parameters/nosuch") == "[]");
  CHECK(body("PUT", "/api/vhost-limits/%2F/nosuch", R"({"value":7})") ==
        R"({"error":"bad_request","reason":"Validation failed\n\n)"
        R"(Unrecognised terms [{<<\"nosuch\">>,7}] in limits\n"})");
  CHECK(status("PUT", limit, R"({"val":7})") == 400);
  CHECK(status("PUT", "/api/vhost-limits/nosuch/max-queues", R"({"value":7})") == 404);
  CHECK(status("DELETE", limit) == 204);
  CHECK(status("DELETE", limit) == 204);
  CHECK(body("GET", "/api/vhost-limits") == R"([{"vhost":"/","value":[]}])");
  const char* parameter = "/api/parameters/vhost-limits/%2F/limits";
  CHECK(status("DELETE", parameter) == 204);
  CHECK(status("DELETE", parameter) == 404);
  CHECK(status("PUT", parameter, R"({"value":{"max-connections":3}})") == 201);
  CHECK(status("PUT", parameter, R"({"value":{"max-queues":4}})") == 204);
  CHECK(body("GET", parameter) ==
        R"({"value":{"max-queues":4},"vhost":"/","component":"vhost-limits","name":"limits"})");
  CHECK(body("PUT", "/api/parameters/nosuch/%2F/x", R"({"value":1})") ==
        R"({"error":"bad_request","reason":"Validation failed\n\ncomponent nosuch not found\n"})");

  CHECK(status("PUT", "/api/user-limits/guest/max-channels", R"({"value":8})") == 204);
  CHECK(body("GET", "/api/user-limits") == R"([{"user":"guest","value":{"max-channels":8}}])");
  CHECK(body("GET", "/api/users/guest").find(R"("limits":{"max-channels":8})") !=
        std::string::npos);
  CHECK(body("PUT", "/api/user-limits/nobody/max-channels", R"({"value":8})") ==
        R"({"error":"bad_request","reason":["no_such_user","nobody"]})");
  CHECK(status("DELETE", "/api/user-limits/guest/max-channels") == 204);
  CHECK(body("GET", "/api/user-limits/guest") == "[]");
  CHECK(status("GET", "/api/user-limits/nobody") == 404);
}

TEST_CASE_FIXTURE(Fixture, "global parameters") {
  const char* parameter = "/api/global-parameters/g";
  CHECK(status("PUT", parameter, R"({"value":{"a":[1,"x"]}})") == 201);
  CHECK(status("PUT", parameter, R"({"value":7})") == 204);
  CHECK(body("GET", parameter) == R"({"name":"g","value":7})");
  CHECK(status("PUT", parameter, "{}") == 400);
  CHECK(status("PUT", "/api/global-parameters/cluster_name", R"({"value":"c"})") < 300);
  CHECK(body("GET", "/api/global-parameters/cluster_name") ==
        R"({"name":"cluster_name","value":"c"})");
  CHECK(status("DELETE", parameter) == 204);
  CHECK(status("DELETE", parameter) == 404);
}

TEST_CASE_FIXTURE(Fixture, "permissions for routing keys, and users deleted together") {
  CHECK(status("PUT", "/api/users/tu", R"({"password":"p","tags":"management"})") == 201);
  const char* permissions = "/api/topic-permissions/%2F/tu";
  CHECK(status("GET", permissions) == 404);
  CHECK(status("PUT", permissions, R"({"exchange":"amq.topic","write":"^a","read":""})") == 201);
  CHECK(status("PUT", permissions, R"({"exchange":"x","write":"^a","read":".*"})") == 204);
  CHECK(body("PUT", permissions, R"({"exchange":"x","write":"(","read":""})") ==
        R"({"error":"bad_request","reason":["invalid_regexp","(",)"
        R"([[109,105,115,115,105,110,103,32,41],1]]})");
  CHECK(status("PUT", "/api/topic-permissions/%2F/nobody",
               R"({"exchange":"x","write":"","read":""})") == 400);
  const char* of_x = R"({"user":"tu","vhost":"/","exchange":"x","write":"^a","read":".*"})";
  CHECK(status("DELETE", "/api/topic-permissions/%2F/tu/amq.topic") == 204);
  for (const char* path : {permissions, "/api/topic-permissions", "/api/users/tu/topic-permissions",
                           "/api/vhosts/%2F/topic-permissions"})
    CHECK(body("GET", path) == "[" + std::string(of_x) + "]");
  CHECK(status("DELETE", permissions) == 204);
  CHECK(status("DELETE", permissions) == 404);

  CHECK(status("PUT", "/api/users/tv", R"({"password":"p","tags":"management"})") == 201);
  credentials = "tu:p";
  CHECK(status("GET", "/api/topic-permissions") == 401);
  CHECK(body("GET", "/api/parameters") ==
        R"({"error":"not_authorised","reason":"User not authorised to access object"})");
  credentials = "guest:guest";
  CHECK(body("POST", "/api/users/bulk-delete", R"({"users":["tu","nobody","tv"]})") ==
        R"({"error":"bad_request","reason":["no_such_user","nobody"]})");
  CHECK(status("GET", "/api/users/tu") == 404);
  CHECK(status("POST", "/api/users/bulk-delete", R"({"users":["tv"]})") == 204);
  CHECK(status("GET", "/api/users/tv") == 404);
}

TEST_CASE_FIXTURE(Fixture, "tags decide what a user may see") {
  CHECK(status("PUT", "/api/users/hu", R"({"password":"p","tags":"management"})") == 201);
  CHECK(status("PUT", "/api/users/hu3", R"({"password":"x","tags":""})") == 201);
  CHECK(status("PUT", "/api/permissions/%2F/hu",
               R"({"configure":"^$","write":"^$","read":"^$"})") == 201);
  credentials = "hu3:x";
  CHECK(status("GET", "/api/whoami") == 401);
  credentials = "hu:p";
  CHECK(body("GET", "/api/users") ==
        R"({"error":"not_authorised","reason":"Not administrator user"})");
  CHECK(status("GET", "/api/nodes") == 401);
  CHECK(status("GET", "/api/queues") == 200);
  CHECK(body("PUT", "/api/queues/%2F/x", "{}") ==
        R"({"error":"not_authorised","reason":"Access refused."})");
  credentials = "guest:guest";
  CHECK(status("PUT", "/api/users/hu", R"({"password":"p","tags":"monitoring"})") == 204);
  CHECK(status("PUT", "/api/vhosts/hv", "{}") == 201);
  credentials = "hu:p";
  CHECK(status("GET", "/api/nodes") == 200);
  CHECK(status("PUT", "/api/queues/hv/x", "{}") == 401);
}

TEST_CASE_FIXTURE(Fixture, "a vhost is traced when its tracing is put") {
  CHECK(status("PUT", "/api/vhosts/tv", R"({"tracing":true})") == 201);
  CHECK(operations.is_traced("tv"));
  CHECK(body("GET", "/api/vhosts/tv").find(R"("tracing":true)") != std::string::npos);
  CHECK(status("PUT", "/api/vhosts/tv", "{}") == 204);
  CHECK(operations.is_traced("tv"));
  CHECK(status("PUT", "/api/vhosts/tv", R"({"tracing":false})") == 204);
  CHECK(!operations.is_traced("tv"));
}

TEST_CASE_FIXTURE(Fixture, "lists are sorted, cut and paged") {
  for (const char* name : {"b", "a", "c"})
    CHECK(status("PUT", std::string("/api/queues/%2F/") + name, "{}") == 201);
  CHECK(body("GET", "/api/queues?columns=name&sort=name&sort_reverse=true") ==
        R"([{"name":"c"},{"name":"b"},{"name":"a"}])");
  CHECK(body("GET", "/api/queues?page=2&page_size=2&columns=name") ==
        R"({"filtered_count":3,"item_count":1,"items":[{"name":"c"}],"page":2,"page_count":2,)"
        R"("page_size":2,"total_count":3})");
  CHECK(status("GET", "/api/queues?page=9") == 400);
  CHECK(body("GET", "/api/queues/%2F/a?columns=vhost,name") == R"({"name":"a","vhost":"/"})");
}

TEST_CASE_FIXTURE(Fixture, "exchanges and bindings") {
  CHECK(status("PUT", "/api/exchanges/%2F/http.x", R"({"type":"direct","durable":true})") == 201);
  CHECK(body("PUT", "/api/exchanges/%2F/http.x", R"({"type":"fanout"})") ==
        R"({"error":"bad_request","reason":"inequivalent arg 'type' for exchange 'http.x' in )"
        R"(vhost '/': received 'fanout' but current is 'direct'"})");
  CHECK(status("PUT", "/api/exchanges/%2F/amq.foo", R"({"type":"fanout"})") == 401);
  CHECK(body("PUT", "/api/exchanges/%2F/x2", R"({"type":"foo"})") ==
        R"({"error":"bad_request","reason":"invalid exchange type 'foo'"})");
  CHECK(status("PUT", queue, "{}") == 201);
  HttpResponse bound =
      ask("POST", "/api/bindings/%2F/e/http.x/q/http.q", R"({"routing_key":"a.*.b"})");
  CHECK(bound.status == 201);
  CHECK(bound.headers[0] == std::pair<std::string, std::string>("location", "http.q/a.%252A.b"));
  CHECK(body("GET", "/api/bindings/%2F/e/http.x/q/http.q").find("\"properties_key\":\"a.%2A.b\"") !=
        std::string::npos);
  CHECK(status("DELETE", "/api/bindings/%2F/e/http.x/q/http.q/a.%2A.b") == 204);
  CHECK(status("DELETE", "/api/exchanges/%2F/http.x") == 204);
  CHECK(status("DELETE", "/api/exchanges/%2F/amq.direct") == 401);
}

TEST_CASE_FIXTURE(Fixture, "who makes a vhost may do everything in it") {
  CHECK(status("PUT", "/api/users/maker", R"({"password":"p","tags":"administrator"})") == 201);
  credentials = "maker:p";
  CHECK(status("PUT", "/api/vhosts/made") == 201);
  CHECK(body("GET", "/api/vhosts/made/permissions") ==
        R"([{"user":"maker","vhost":"made","configure":".*","write":".*","read":".*"}])");
  CHECK(status("PUT", "/api/queues/made/q", "{}") == 201);
  credentials = "guest:guest";
  CHECK(status("PUT", "/api/vhosts/made", R"({"description":"again"})") == 204);
  CHECK(status("GET", "/api/permissions/made/guest") == 404);
}

TEST_CASE_FIXTURE(Fixture, "health checks name the alarms") {
  constexpr const char* ok = R"({"status":"ok"})";
  for (const char* check : {"/api/health/checks/alarms", "/api/health/checks/local-alarms",
                            "/api/healthchecks/node", "/api/healthchecks/node/rabbit1@vm"})
    CHECK(body("GET", check) == ok);
  CHECK(status("GET", "/api/healthchecks/node/nosuch@vm") == 404);
  operations.is_memory_short = true;
  HttpResponse failed = ask("GET", "/api/healthchecks/node");
  CHECK(failed.status == 503);
  CHECK(failed.body == R"({"status":"failed","reason":"resource alarm(s) in effect:)"
                       R"([{resource_limit,memory,rabbit1@vm}]"})");
  CHECK(body("GET", "/api/health/checks/local-alarms") ==
        R"({"status":"failed","reason":"There are alarms in effect on the node",)"
        R"("alarms":[{"node":"rabbit1@vm","resource":"memory"}]})");
}

TEST_CASE_FIXTURE(Fixture, "a binding's location leads to it, whatever its key is made of") {
  CHECK(status("PUT", queue, "{}") == 201);
  const std::string bindings = "/api/bindings/%2F/e/amq.topic/q/";
  auto location = [&](const std::string& body) {
    return ask("POST", bindings + "http.q", body).headers[0].second;
  };
  CHECK(location(R"({"routing_key":"#"})") == "http.q/%2523");
  CHECK(location(R"({"routing_key":"a b"})") == "http.q/a%2Bb");
  CHECK(location(R"({"routing_key":"a+b"})") == "http.q/a%252Bb");
  CHECK(location(R"({"routing_key":"a~b"})") == "http.q/a%257Eb");
  const std::string digested = location(R"({"routing_key":"#","arguments":{"one":"two"}})");
  CHECK(digested.starts_with("http.q/%2523~"));
  CHECK(body("GET", bindings + "http.q/a%2Bb?columns=properties_key") ==
        R"({"properties_key":"a+b"})");
  for (std::string named : {std::string("http.q/%23"), std::string("http.q/a%20b"),
                            std::string("http.q/a%252Bb"), std::string("http.q/a%257Eb"), digested})
    CHECK(status("DELETE", bindings + named) == 204);
  CHECK(body("GET", bindings + "http.q") == "[]");
}
