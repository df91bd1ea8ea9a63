#include "codec/amqp091_content.h"

#include <doctest/doctest.h>

#include "codec/amqp091_frame.h"
#include "codec/test_bytes.h"

using namespace warren::codec;
using namespace warren::codec::amqp091;
using warren::base::OutputBuffer;
using warren::base::SharedBytes;

namespace {

const DeliverView deliver{"tag", 7, true, "exchange", "key"};

Bytes expected_delivery(ByteView properties, ByteView body, std::uint32_t frame_max) {
  Bytes out;
  BasicDeliver method;
  method.consumer_tag = deliver.consumer_tag;
  method.delivery_tag = deliver.delivery_tag;
  method.redelivered = deliver.redelivered;
  method.exchange = deliver.exchange;
  method.routing_key = deliver.routing_key;
  encode_method(out, 3, method);
  write_header_frame(out, 3, BasicDeliver::ids.class_id, body.size(), properties);
  write_body_frames(out, 3, body, frame_max);
  return out;
}

Bytes written_delivery(ByteView properties, const SharedBytes& body, std::uint32_t frame_max) {
  OutputBuffer out;
  out.text() = "before";
  write_delivery(out, 3, deliver, {properties, body.view(), body}, frame_max);
  out.text() += "after";
  return out.take_flat();
}

}  // namespace

TEST_CASE("deliveries of any size have the same frames, copied or not") {
  for (std::size_t size : {0, 1, 100, 4087, 4088, 4089, 4095, 4096, 8176, 8177, 300000})
    for (std::uint32_t frame_max : {0u, 4096u, 131072u})
      for (ByteView properties : {ByteView("\0\0", 2), ByteView("\x10\0\2", 3)}) {
        CAPTURE(size);
        CAPTURE(frame_max);
        const SharedBytes body(Bytes(size, 'b'));
        CHECK(written_delivery(properties, body, frame_max) ==
              "before" + expected_delivery(properties, body.view(), frame_max) + "after");
      }
}

TEST_CASE("only small bodies are copied into the output") {
  const SharedBytes small(Bytes(referred_body_bytes - 1, 'b'));
  const SharedBytes large(Bytes(100000, 'b'));
  OutputBuffer out;
  write_content(out, 1, 60, {"\0\0", small.view(), small}, 131072);
  CHECK(out.text().size() == out.size());
  out.clear();
  write_content(out, 1, 60, {"\0\0", large.view(), large}, 131072);
  CHECK(out.text().size() + large.size() == out.size());
}
