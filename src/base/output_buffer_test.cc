#include "base/output_buffer.h"

#include <doctest/doctest.h>

#include <array>

using namespace warren::base;

namespace {

/// What `look` gives from `from` on, with room for `room` pieces at a time.
Bytes seen_from(const OutputBuffer& buffer, std::size_t from, std::size_t room) {
  Bytes seen;
  std::array<ByteView, 8> pieces;
  for (;;) {
    const std::size_t count = buffer.look(from + seen.size(), std::span(pieces).first(room));
    if (count == 0) return seen;
    for (std::size_t i = 0; i < count; ++i) seen.append(pieces[i]);
  }
}

OutputBuffer sample() {
  OutputBuffer buffer;
  const SharedBytes block(ByteView("[block]"));
  buffer.text() += "one ";
  buffer.append_block(block, block.view().substr(1, 5));
  buffer.text() += " two ";
  buffer.append_block(block, block.view());
  buffer.append_block(block, block.view().substr(6));
  return buffer;
}

constexpr ByteView sample_text = "one block two [block]]";

}  // namespace

TEST_CASE("text and blocks come out in the order in which they went in") {
  OutputBuffer buffer = sample();
  CHECK(buffer.size() == sample_text.size());
  for (std::size_t room = 2; room <= 8; ++room)
    for (std::size_t from = 0; from <= sample_text.size(); ++from)
      CHECK(seen_from(buffer, from, room) == sample_text.substr(from));
  CHECK(buffer.take_flat() == sample_text);
  CHECK(buffer.empty());
  CHECK(seen_from(buffer, 0, 8).empty());
}

TEST_CASE("a buffer that is appended keeps its blocks in place") {
  OutputBuffer all;
  OutputBuffer part = sample();
  all.append(part);
  CHECK(part.empty());
  all.text() += "; ";
  part = sample();
  all.append(part);
  CHECK(part.empty());
  all.text() += ".";
  CHECK(all.take_flat() == Bytes(sample_text) + "; " + Bytes(sample_text) + ".");
}

TEST_CASE("blocks live as long as the buffer refers to them") {
  OutputBuffer buffer;
  {
    const SharedBytes block(Bytes(100, 'x'));
    buffer.append_block(block, block.view());
  }
  CHECK(buffer.take_flat() == Bytes(100, 'x'));
}

TEST_CASE("memory is lent and taken back") {
  OutputBuffer buffer;
  Bytes memory;
  memory.reserve(1000);
  const char* place = memory.data();
  buffer.lend(std::move(memory));
  buffer.text() += "abc";
  buffer.clear();
  memory = buffer.take_memory();
  CHECK(memory.data() == place);
  CHECK(memory.empty());
}
