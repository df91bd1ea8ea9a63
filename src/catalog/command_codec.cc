#include "base/bytes.h"
#include "catalog/archive.h"
#include "catalog/command.h"

namespace warren::catalog {
namespace {

auto fields_of(Is<PutVhost> auto& c) { return std::tie(c.vhost); }
auto fields_of(Is<DeleteVhost> auto& c) { return std::tie(c.name); }
auto fields_of(Is<AddUser> auto& c) { return std::tie(c.user); }
auto fields_of(Is<DeleteUser> auto& c) { return std::tie(c.name); }
auto fields_of(Is<SetPassword> auto& c) {
  return std::tie(c.name, c.password_hash, c.hashing_algorithm);
}
auto fields_of(Is<SetUserTags> auto& c) { return std::tie(c.name, c.tags); }
auto fields_of(Is<SetPermission> auto& c) { return std::tie(c.permission); }
auto fields_of(Is<ClearPermission> auto& c) { return std::tie(c.user, c.vhost); }
auto fields_of(Is<DeclareExchange> auto& c) { return std::tie(c.exchange); }
auto fields_of(Is<DeleteExchange> auto& c) { return std::tie(c.name, c.if_unused); }
auto fields_of(Is<AddBinding> auto& c) { return std::tie(c.binding); }
auto fields_of(Is<RemoveBinding> auto& c) { return std::tie(c.binding); }
auto fields_of(Is<DeclareQueue> auto& c) { return std::tie(c.queue); }
auto fields_of(Is<DeleteQueue> auto& c) { return std::tie(c.queue); }
auto fields_of(Is<DeleteExclusiveQueues> auto& c) { return std::tie(c.connection); }
auto fields_of(Is<SetPolicy> auto& c) { return std::tie(c.policy); }
auto fields_of(Is<ClearPolicy> auto& c) { return std::tie(c.name); }
auto fields_of(Is<SetGlobalParameter> auto& c) { return std::tie(c.name, c.value); }
auto fields_of(Is<AddNode> auto& c) { return std::tie(c.name, c.kind, c.uuid); }
auto fields_of(Is<SetNodeKind> auto& c) { return std::tie(c.name, c.kind); }
auto fields_of(Is<NodeUp> auto& c) { return std::tie(c.name, c.incarnation); }
auto fields_of(Is<NodesDown> auto& c) { return std::tie(c.nodes); }
auto fields_of(Is<ForgetNode> auto& c) { return std::tie(c.name); }
auto fields_of(Is<AddInSync> auto& c) {
  return std::tie(c.queue, c.epoch, c.node, c.placement_version);
}
auto fields_of(Is<RemoveInSync> auto& c) { return std::tie(c.queue, c.epoch, c.node); }
auto fields_of(Is<ElectLeader> auto& c) {
  return std::tie(c.queue, c.epoch, c.leader, c.unclean);
}
auto fields_of(Is<SetOperatorPolicy> auto& c) { return std::tie(c.policy); }
auto fields_of(Is<ClearOperatorPolicy> auto& c) { return std::tie(c.name); }
auto fields_of(Is<SetTopicPermission> auto& c) { return std::tie(c.permission); }
auto fields_of(Is<ClearTopicPermission> auto& c) { return std::tie(c.name); }
auto fields_of(Is<SetVhostLimits> auto& c) { return std::tie(c.vhost, c.limits); }
auto fields_of(Is<SetUserLimits> auto& c) { return std::tie(c.user, c.limits); }

// A command's tag is its place in `Command`: new commands go to the end of that list.
constexpr std::uint8_t format_version = 1;

template <std::size_t Tag>
void take_alternative(Decoder& decoder, Command& command) {
  auto& alternative = command.emplace<Tag>();
  std::apply([&](auto&... field) { (decoder.take(field), ...); }, fields_of(alternative));
}

template <std::size_t... Tags>
bool take_command(Decoder& decoder, std::size_t tag, Command& command,
                  std::index_sequence<Tags...>) {
  return ((tag == Tags && (take_alternative<Tags>(decoder, command), true)) || ...);
}

}  // namespace

base::Bytes encode_command(const Command& command) {
  base::Bytes bytes;
  Encoder encoder(bytes);
  encoder.put(format_version);
  encoder.put(static_cast<std::uint8_t>(command.index()));
  std::visit(
      [&](const auto& alternative) {
        std::apply([&](const auto&... field) { (encoder.put(field), ...); },
                   fields_of(alternative));
      },
      command);
  return bytes;
}

base::Result<Command> decode_command(base::ByteView bytes) {
  Decoder decoder(bytes);
  std::uint8_t version = 0;
  std::uint8_t tag = 0;
  decoder.take(version);
  decoder.take(tag);
  if (!decoder.failed() && version != format_version)
    return base::fail(base::ErrorCode::corrupt, "catalog command of an unknown format version");
  Command command;
  constexpr auto tags = std::make_index_sequence<std::variant_size_v<Command>>();
  if (!take_command(decoder, tag, command, tags))
    return base::fail(base::ErrorCode::corrupt, "unknown catalog command");
  if (decoder.failed() || !decoder.empty())
    return base::fail(base::ErrorCode::corrupt, "malformed catalog command");
  return command;
}

}  // namespace warren::catalog
