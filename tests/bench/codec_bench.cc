// Frames on their way in and out, in batches as they come from and go to a socket.
#include <benchmark/benchmark.h>

#include <string>

#include "codec/amqp091_content.h"
#include "codec/amqp091_frame.h"
#include "codec/amqp091_method.h"
#include "codec/amqp091_properties.h"

namespace {

using namespace warren;
namespace amqp = codec::amqp091;

constexpr int messages_a_batch = 100;
constexpr std::uint32_t frame_max = 131072;

std::string encoded_properties() {
  std::string encoded;
  amqp::Properties properties;
  properties.delivery_mode = 2;
  amqp::encode_properties(encoded, properties);
  return encoded;
}

std::string publishes(std::size_t size) {
  std::string bytes;
  const std::string properties = encoded_properties();
  amqp::BasicPublish publish;
  publish.routing_key = "perf";
  for (int i = 0; i < messages_a_batch; ++i) {
    amqp::encode_method(bytes, 1, publish);
    amqp::write_header_frame(bytes, 1, 60, size, properties);
    amqp::write_body_frames(bytes, 1, std::string(size, 'w'), frame_max);
  }
  return bytes;
}

void count_messages(benchmark::State& state, std::size_t bytes) {
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * messages_a_batch);
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * bytes));
}

void parse_publishes(benchmark::State& state) {
  const std::string bytes = publishes(static_cast<std::size_t>(state.range(0)));
  amqp::FrameParser parser(frame_max);
  for (auto _ : state) {
    parser.feed(bytes);
    amqp::Frame found;
    while (parser.next(found)) {
      if (found.type == amqp::frame_method) {
        benchmark::DoNotOptimize(amqp::decode_publish(found.payload));
      } else if (found.type == amqp::frame_header) {
        const auto header = amqp::split_content_header(found.payload);
        benchmark::DoNotOptimize(amqp::scan_properties(header->properties));
      } else {
        benchmark::DoNotOptimize(found.payload.data());
      }
    }
  }
  count_messages(state, bytes.size());
}
BENCHMARK(parse_publishes)->Arg(12)->Arg(1024)->Arg(65536);

void write_publishes(benchmark::State& state) {
  std::size_t bytes = 0;
  for (auto _ : state) {
    const std::string out = publishes(static_cast<std::size_t>(state.range(0)));
    bytes = out.size();
    benchmark::DoNotOptimize(out.data());
  }
  count_messages(state, bytes);
}
BENCHMARK(write_publishes)->Arg(12)->Arg(1024);

void write_deliveries(benchmark::State& state) {
  const std::string body(static_cast<std::size_t>(state.range(0)), 'w');
  const std::string properties = encoded_properties();
  const base::SharedBytes shared(body);
  base::OutputBuffer out;
  for (auto _ : state) {
    out.clear();
    for (int i = 0; i < messages_a_batch; ++i)
      amqp::write_delivery(out, 1, {"c0", 7, false, "", "perf"},
                           {properties, shared.view(), shared}, frame_max);
    benchmark::DoNotOptimize(out.size());
  }
  count_messages(state, out.size());
}
BENCHMARK(write_deliveries)->Arg(12)->Arg(1024)->Arg(65536);

void parse_acks(benchmark::State& state) {
  std::string bytes;
  amqp::BasicAck ack;
  ack.delivery_tag = 7;
  for (int i = 0; i < messages_a_batch; ++i) amqp::encode_method(bytes, 1, ack);
  amqp::FrameParser parser(frame_max);
  for (auto _ : state) {
    parser.feed(bytes);
    amqp::Frame frame;
    while (parser.next(frame)) benchmark::DoNotOptimize(amqp::decode_method(frame.payload));
  }
  count_messages(state, bytes.size());
}
BENCHMARK(parse_acks);

}  // namespace
