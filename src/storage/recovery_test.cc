#include "storage/recovery.h"

#include <fmt/format.h>

#include "storage/log_fixture.h"

using namespace warren;
using namespace warren::storage;
using Payloads = std::vector<std::string>;

namespace {

constexpr Log::Options small_files{.file_bytes = 1024, .max_live_files = 3, .salt = 9};
constexpr std::uint64_t first_record = file_header_bytes + mark_bytes;

base::Bytes& bytes_of(LogFixture& node, std::uint64_t file) {
  return node.disk.files()->files.at(FileId{file}).durable;
}

/// Four files of two records each, all durable and vouched for.
void fill_four_files(LogFixture& node) {
  for (std::uint64_t i = 0; i < 8; ++i)
    node.store(10 + i, std::string(350, static_cast<char>('a' + i)));
  node.log->mark_synced(true);
  node.disk.run_all();
  REQUIRE(node.disk.list()->size() == 4);
}

std::string streams_of(const RecoveredLog& log) {
  std::string streams;
  for (const SeenRecord& record : log.records) streams += fmt::format("{} ", record.stream.value);
  return streams;
}

}  // namespace

TEST_CASE("an unsynced write that was cut is a torn tail, and the log goes on in a new file") {
  LogFixture node;
  node.store(1, "synced");
  LogPosition cut = node.append(1, "torn away");
  node.log->flush(false);
  node.disk.run_all();
  node.disk.truncate(FileId{1}, cut.value + 5);
  node.start();
  CHECK(node.payloads() == Payloads{"synced"});
  CHECK(node.recovered.state.torn_tail);
  CHECK(node.recovered.state.dropped_bytes == 5);
  CHECK(node.recovered.state.corruption.empty());
  CHECK(node.recovered.state.end == cut);
  CHECK(node.store(1, "new") > cut);
  node.start();
  CHECK(node.payloads() == Payloads{"synced", "new"});
  CHECK_FALSE(node.recovered.state.torn_tail);
  CHECK(node.recovered.state.corruption.empty());
}

TEST_CASE("what stands behind a hole in the unsynced tail is dropped and never comes back") {
  LogFixture node;
  node.store(1, "synced");
  LogPosition lost = node.append(1, "lost");
  node.log->flush(false);
  node.append(1, "kept by the disk, before what it follows");
  node.log->flush(false);
  node.disk.run_all();
  node.disk.read(FileId{1}).value();
  bytes_of(node, 1).replace(lost.value, record_header_bytes + 4, record_header_bytes + 4, '\0');
  node.start();
  CHECK(node.payloads() == Payloads{"synced"});
  CHECK(node.recovered.state.torn_tail);
  CHECK(node.recovered.state.corruption.empty());
  for (int life = 0; life < 3; ++life) {
    node.store(1, "new");
    node.start();
    CHECK(node.payloads().size() == 2 + static_cast<std::size_t>(life));
    CHECK(node.payloads()[1] == "new");
    CHECK(node.recovered.state.corruption.empty());
  }
}

TEST_CASE("a damaged payload costs its record, which is named") {
  LogFixture node;
  node.store(1, "one");
  LogPosition damaged = node.store(22, "two");
  node.store(3, "three");
  node.disk.flip_bit(FileId{1}, damaged.value + record_header_bytes + 1, 4);
  node.start();
  CHECK(node.payloads() == Payloads{"one", "three"});
  REQUIRE(node.recovered.state.corruption.size() == 1);
  const Corruption& corruption = node.recovered.state.corruption[0];
  CHECK(corruption.file == FileId{1});
  CHECK(corruption.offset == damaged.value);
  CHECK(corruption.position == damaged);
  CHECK(corruption.bytes == record_header_bytes + 3);
  CHECK(corruption.stream == StreamId{22});
  CHECK(corruption.text.find("log file 1 is damaged at offset") != std::string::npos);
  CHECK(corruption.text.find("stream 22") != std::string::npos);
}

TEST_CASE("a damaged record header is skipped up to the next record") {
  LogFixture node;
  node.append(1, "one");
  LogPosition damaged = node.append(2, std::string(300, 't'));
  node.append(3, "three");
  node.log->flush(true);
  node.disk.run_all();
  node.store(4, "four");
  node.disk.flip_bit(FileId{1}, damaged.value + 10, 0);
  node.start();
  CHECK(node.payloads() == Payloads{"one", "three", "four"});
  REQUIRE(node.recovered.state.corruption.size() == 1);
  CHECK(node.recovered.state.corruption[0].stream == StreamId{});
  CHECK(node.recovered.state.corruption[0].bytes == record_header_bytes + 300);
}

TEST_CASE("damage to the last batch is corruption once a mark vouches for it") {
  LogFixture node;
  node.store(1, "one");
  LogPosition last = node.store(1, "two");
  node.log->mark_synced(false);
  node.disk.run_all();
  node.disk.flip_bit(FileId{1}, last.value + record_header_bytes, 0);
  node.start();
  CHECK(node.payloads() == Payloads{"one"});
  CHECK(node.recovered.state.corruption.size() == 1);
  CHECK_FALSE(node.recovered.state.torn_tail);
}

TEST_CASE("one damaged copy of a file header does no harm") {
  for (std::uint64_t offset : {0u, 20u, 63u, 64u, 100u, 127u}) {
    LogFixture node(small_files);
    fill_four_files(node);
    for (std::uint64_t file = 1; file <= 4; ++file) node.disk.flip_bit(FileId{file}, offset, 3);
    node.start();
    CHECK(node.recovered.records.size() == 8);
    CHECK(node.recovered.state.corruption.empty());
  }
}

TEST_CASE("a file whose header is lost is named and the others are kept") {
  Payloads kept{"12 13 14 15 16 17 ", "10 11 14 15 16 17 ", "10 11 12 13 16 17 ",
                "10 11 12 13 14 15 "};
  for (std::uint64_t file = 1; file <= 4; ++file) {
    CAPTURE(file);
    LogFixture node(small_files);
    fill_four_files(node);
    LogPosition end = node.log->end();
    node.disk.flip_bit(FileId{file}, 3, 3);
    node.disk.flip_bit(FileId{file}, 90, 3);
    for (int life = 0; life < 2; ++life) {
      node.start();
      CHECK(streams_of(node.recovered) == kept[file - 1]);
      REQUIRE(node.recovered.state.corruption.size() == 1);
      CHECK(node.recovered.state.corruption[0].file == FileId{file});
      CHECK(node.recovered.state.corruption[0].bytes > 800);
      CHECK(node.recovered.state.next_position >= end);
      CHECK(node.recovered.state.next_file == FileId{5});
    }
  }
}

TEST_CASE("a missing file is named") {
  for (std::uint64_t file = 1; file <= 3; ++file) {
    LogFixture node(small_files);
    fill_four_files(node);
    node.disk.files()->files.erase(FileId{file});
    node.start();
    CHECK(node.recovered.records.size() == 6);
    REQUIRE(node.recovered.state.corruption.size() == 1);
    CHECK(node.recovered.state.corruption[0].text.find("is missing") != std::string::npos);
  }
}

TEST_CASE("a file in the middle that is too short is named") {
  LogFixture node(small_files);
  fill_four_files(node);
  node.disk.truncate(FileId{2}, first_record);
  node.start();
  CHECK(streams_of(node.recovered) == "10 11 14 15 16 17 ");
  REQUIRE(node.recovered.state.corruption.size() == 1);
  CHECK(node.recovered.state.corruption[0].file == FileId{2});
  CHECK(node.recovered.state.corruption[0].offset == first_record);
}

TEST_CASE("a creation that was interrupted leaves a dead file, which the next log begins over") {
  LogFixture node;
  node.store(1, "one");
  node.disk.files()->files[FileId{2}].durable = "WARR";
  node.start();
  CHECK(node.payloads() == Payloads{"one"});
  CHECK(node.recovered.state.dead_files == std::vector<FileId>{FileId{2}});
  CHECK(node.recovered.state.corruption.empty());
  node.disk.run_all();
  node.store(1, "two");
  CHECK(node.disk.list() == std::vector<FileId>{FileId{1}, FileId{3}});
}

TEST_CASE("a removed file that comes back is ignored and removed again") {
  LogFixture node(small_files);
  fill_four_files(node);
  MemoryFiles::File old = node.disk.files()->files.at(FileId{1});
  node.log->forget(StreamId{10});
  node.log->forget(StreamId{11});
  node.log->flush(true);
  node.disk.run_all();
  node.disk.files()->files[FileId{1}] = old;
  node.start();
  CHECK(streams_of(node.recovered) == "12 13 14 15 16 17 ");
  CHECK(node.recovered.state.corruption.empty());
  CHECK(node.recovered.state.dead_files == std::vector<FileId>{FileId{1}});
}

TEST_CASE("bytes of an earlier life of a file never pass for new ones") {
  LogFixture node(small_files);
  fill_four_files(node);
  base::Bytes old = bytes_of(node, 2);
  // The file is used again under a new number, with the old records behind a new header.
  base::Bytes recycled;
  LogPosition end = node.log->end();
  write_file_header(recycled, {.file = FileId{5},
                               .first = end,
                               .known = {.synced = end, .start = {}},
                               .salt = small_files.salt});
  recycled += old.substr(file_header_bytes);
  node.disk.files()->files[FileId{5}].durable = recycled;
  node.start();
  CHECK(streams_of(node.recovered) == "10 11 12 13 14 15 16 17 ");
  CHECK(node.recovered.state.torn_tail);
  CHECK(node.recovered.state.corruption.empty());
  // Renamed without a new header, it is not taken either.
  node.disk.files()->files[FileId{5}].durable = old;
  node.start();
  CHECK(streams_of(node.recovered) == "10 11 12 13 14 15 16 17 ");
}

TEST_CASE("a file of a later format version is refused") {
  LogFixture node;
  base::Bytes bytes;
  write_file_header(bytes, {.version = 2, .file = FileId{1}, .first = {}, .known = {}});
  node.disk.files()->files[FileId{1}].durable = bytes;
  auto recovered = recover(node.disk, {});
  REQUIRE_FALSE(recovered.has_value());
  CHECK(recovered.error().text.find("version 2") != std::string::npos);
}

TEST_CASE("what was read at a start can't be lost by a later power failure") {
  LogFixture node;
  node.store(1, "synced");
  node.append(1, "written only");
  node.log->flush(false);
  node.disk.run_all();
  base::Random random(5);
  node.disk.kill(random);
  node.start();
  REQUIRE(node.payloads() == Payloads{"synced", "written only"});
  for (int i = 0; i < 10; ++i) {
    node.disk.crash(random);
    node.start();
    CHECK(node.payloads() == Payloads{"synced", "written only"});
  }
}

TEST_CASE("the list of corruptions is bounded, their number is not") {
  LogFixture node;
  for (int i = 0; i < 300; ++i) node.append(1, "x");
  node.log->flush(true);
  node.disk.run_all();
  node.log->mark_synced(true);
  node.disk.run_all();
  for (const SeenRecord& record : recover_all(node.disk).records)
    node.disk.flip_bit(FileId{1}, record.position.value + record_header_bytes, 0);
  node.start();
  CHECK(node.recovered.records.empty());
  CHECK(node.recovered.state.corrupt_places == 300);
  CHECK(node.recovered.state.corruption.size() == max_listed_corruption);
}

TEST_CASE("a body that looks like a record is no record") {
  LogFixture node(small_files);
  // The attacker knows the position and the format, not the salt.
  FileHeader guess{.version = log_version, .file = FileId{1}, .first = {}, .known = {}};
  base::Bytes body;
  std::uint64_t position = first_record + record_header_bytes;
  write_record_header(body, {.position = {position}, .stream = StreamId{66}}, guess.seed());
  node.store(1, body);
  node.log->mark_synced(true);
  node.disk.run_all();
  node.disk.flip_bit(FileId{1}, first_record + 2, 0);
  node.start();
  CHECK(node.recovered.records.empty());
  CHECK(node.recovered.state.corruption.size() == 1);
}

TEST_CASE("what is damaged is kept and named again until somebody has taken note") {
  LogFixture node(small_files);
  fill_four_files(node);
  node.disk.flip_bit(FileId{1}, first_record + record_header_bytes, 0);
  for (int life = 0; life < 3; ++life) {
    node.start();
    CHECK(node.recovered.state.corrupt_places == 1);
    for (StreamId stream : node.log->streams()) node.log->forget(stream);
    node.store(1, "new");
    node.store(1, "new");
  }
  node.log->accept_damage();
  node.log->flush(true);
  node.disk.run_all();
  node.start();
  CHECK(node.recovered.state.corruption.empty());
  CHECK(node.payloads() == Payloads{"new", "new"});
}
