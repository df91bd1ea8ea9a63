#include "management/http_connection.h"

#include <doctest/doctest.h>

#include <string>

using namespace warren;
using namespace warren::management;

namespace {

using namespace std::chrono_literals;

struct Fixture {
  std::vector<HttpRequest> requests;
  std::vector<std::function<void(HttpResponse)>> answers;
  int wakes = 0;
  base::Time now{};
  HttpConnection::Options options;

  HttpConnection make() {
    return HttpConnection(
        [this](const HttpRequest& request, std::function<void(HttpResponse)> answer) {
          requests.push_back(request);
          answers.push_back(std::move(answer));
        },
        "127.0.0.1", [this] { ++wakes; }, now, options);
  }
  static HttpResponse json(std::string body) {
    HttpResponse response;
    response.body = std::move(body);
    return response;
  }
};

constexpr const char* get_request = "GET /api/queues?page=1 HTTP/1.1\r\nHost: x\r\n\r\n";

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a request that comes in pieces is answered once") {
  HttpConnection connection = make();
  for (char c : std::string(get_request)) connection.feed(std::string(1, c), now);
  REQUIRE(requests.size() == 1);
  CHECK(requests[0].method == "GET");
  CHECK(requests[0].path == "/api/queues");
  CHECK(requests[0].query == "page=1");
  CHECK(requests[0].peer_host == "127.0.0.1");
  answers[0](json("[]"));
  CHECK(wakes == 1);
  CHECK(connection.take_output() ==
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: application/json\r\n"
        "server: Warren\r\n\r\n[]");
  CHECK_FALSE(connection.done());
}

TEST_CASE_FIXTURE(Fixture, "a body in chunks may be cut anywhere") {
  const std::string head = "PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const char* chunks : {"0\r\n\r\n", "3\r\nabc\r\n0\r\n\r\n",
                             "1;x=y\r\na\r\n2\r\nbc\r\n0\r\nA: b\r\n\r\n"}) {
    const std::string whole = head + chunks;
    for (std::size_t step = 1; step < 8; ++step)
      for (std::size_t cut = head.size(); cut < whole.size(); ++cut) {
        CAPTURE(chunks);
        CAPTURE(step);
        CAPTURE(cut);
        requests.clear();
        HttpConnection connection = make();
        connection.feed(whole.substr(0, cut), now);
        for (std::size_t at = cut; at < whole.size(); at += step)
          connection.feed(whole.substr(at, step), now);
        REQUIRE(requests.size() == 1);
        CHECK(requests[0].body == (chunks[0] == '0' ? "" : "abc"));
      }
  }
}

TEST_CASE_FIXTURE(Fixture, "pipelined requests are answered in order, one at a time") {
  HttpConnection connection = make();
  connection.feed("GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n", now);
  REQUIRE(requests.size() == 1);
  answers[0](json("1"));
  REQUIRE(requests.size() == 2);
  CHECK(requests[1].path == "/b");
}

TEST_CASE_FIXTURE(Fixture, "the pipeline is bounded") {
  options.max_pipeline_bytes = 10;
  HttpConnection connection = make();
  CHECK(connection.wants_input());
  connection.feed(std::string(get_request) + "GET /another", now);
  CHECK_FALSE(connection.wants_input());
  answers[0](json("1"));
  CHECK(connection.wants_input());
}

TEST_CASE_FIXTURE(Fixture, "a body is taken whole") {
  HttpConnection connection = make();
  connection.feed(
      "PUT /api/queues/%2F/q HTTP/1.1\r\nHost: x\r\nAuthorization: Basic Zzpn\r\n"
      "Content-Length: 4\r\n\r\n{}",
      now);
  CHECK(requests.empty());
  connection.feed("\r\n", now);
  REQUIRE(requests.size() == 1);
  CHECK(requests[0].body == "{}\r\n");
  CHECK(requests[0].authorization == "Basic Zzpn");
}

TEST_CASE_FIXTURE(Fixture, "a client that waits is told to go on") {
  HttpConnection connection = make();
  connection.feed("PUT /x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                  "Content-Length: 2\r\n\r\n", now);
  CHECK(connection.take_output() == "HTTP/1.1 100 Continue\r\n\r\n");
  connection.feed("{}", now);
  CHECK(requests.size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "nobody waits for the body of a stranger") {
  options.may_send_body = [](const HttpRequest& head) {
    return head.peer_host == "127.0.0.1" && head.path == "/x" && head.authorization == "known";
  };
  const std::string head = "PUT /x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                           "Content-Length: 1000\r\nAuthorization: ";
  HttpConnection stranger = make();
  stranger.feed(head, now);
  CHECK(requests.empty());
  stranger.feed("?\r\n\r\nbegin", now);
  REQUIRE(requests.size() == 1);
  CHECK(requests[0].body == "");
  CHECK(requests[0].peer_host == "127.0.0.1");
  answers[0](json("1"));
  CHECK(stranger.take_output().find("connection: close\r\n") != std::string::npos);
  CHECK(stranger.done());
  HttpConnection known = make();
  known.feed(head + "known\r\n\r\n", now);
  CHECK(known.take_output() == "HTTP/1.1 100 Continue\r\n\r\n");
  known.feed(std::string(1000, 'b'), now);
  REQUIRE(requests.size() == 2);
  CHECK(requests[1].body.size() == 1000);
  // Who sends all at once needs no invitation; the next request is judged anew.
  answers[1](json("1"));
  known.feed("PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nb", now);
  CHECK(requests.size() == 3);
  answers[2](json("1"));
  known.feed("PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nb", now);
  REQUIRE(requests.size() == 4);
  CHECK(requests[3].body == "");
}

TEST_CASE_FIXTURE(Fixture, "what is no HTTP, or too much of it, ends the connection") {
  HttpConnection malformed = make();
  malformed.feed("HELLO\r\n\r\n", now);
  CHECK(malformed.take_output().starts_with("HTTP/1.1 400 "));
  CHECK(malformed.done());
  options.max_body_bytes = 8;
  HttpConnection large = make();
  large.feed("PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n", now);
  CHECK(large.take_output().starts_with("HTTP/1.1 413 "));
  CHECK(requests.empty());
}

TEST_CASE_FIXTURE(Fixture, "the client may close after the answer") {
  HttpConnection connection = make();
  connection.feed("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", now);
  answers[0](json("1"));
  CHECK(connection.take_output().find("connection: close\r\n") != std::string::npos);
  CHECK(connection.done());
}

TEST_CASE_FIXTURE(Fixture, "HEAD gets the length and no body") {
  HttpConnection connection = make();
  connection.feed("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", now);
  CHECK(requests[0].method == "GET");
  answers[0](json("12345"));
  const std::string output = connection.take_output();
  CHECK(output.find("content-length: 5\r\n") != std::string::npos);
  CHECK(output.ends_with("\r\n\r\n"));
}

TEST_CASE_FIXTURE(Fixture, "slow and idle clients are let go") {
  HttpConnection slow = make();
  slow.feed("GET / HT", now);
  CHECK(slow.deadline() == now + options.request_timeout);
  slow.tick(now + options.request_timeout);
  CHECK(slow.take_output().starts_with("HTTP/1.1 408 "));
  HttpConnection idle = make();
  CHECK(idle.deadline() == now + options.idle_timeout);
  idle.tick(now + options.idle_timeout);
  CHECK(idle.done());
  CHECK(idle.take_output().empty());
}

TEST_CASE_FIXTURE(Fixture, "an answer that comes after the end goes nowhere") {
  { HttpConnection connection = make(); connection.feed(get_request, now); }
  answers[0](json("late"));
  CHECK(wakes == 0);
}
