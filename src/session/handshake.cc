#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "session/connection.h"
#include "session/login.h"

/// Channel 0: from connection.start to connection.open-ok, and what comes after it.
namespace warren::session::amqp091 {

using namespace codec::amqp091;

namespace {

bool has_capability(const base::FieldTable& client_properties, std::string_view name) {
  const base::FieldValue* value = client_properties.find("capabilities");
  const auto* capabilities = value ? value->as<base::FieldTable>() : nullptr;
  const base::FieldValue* capability = capabilities ? capabilities->find(name) : nullptr;
  const bool* flag = capability ? capability->as<bool>() : nullptr;
  return flag != nullptr && *flag;
}

/// Clients of 0-8 are offered nothing beyond their protocol.
base::FieldTable server_capabilities(ProtocolVersion version) {
  base::FieldTable capabilities;
  if (version.major == 8) return capabilities;
  for (const char* name : {"publisher_confirms", "exchange_exchange_bindings", "basic.nack",
                           "consumer_cancel_notify", "connection.blocked", "consumer_priorities",
                           "authentication_failure_close", "per_consumer_qos", "direct_reply_to"})
    capabilities.add(name, true);
  return capabilities;
}

base::FieldTable server_properties(const Environment& environment, ProtocolVersion version) {
  std::string cluster_name(environment.gateway.catalog().global_parameter("cluster_name"));
  if (cluster_name.empty()) cluster_name = environment.gateway.node_name();
  base::FieldTable properties;
  properties.add("capabilities", server_capabilities(version));
  properties.add("cluster_name", std::move(cluster_name));
  properties.add("copyright", environment.copyright);
  properties.add("information", environment.information);
  properties.add("platform", environment.platform);
  properties.add("product", environment.product);
  properties.add("version", environment.version);
  return properties;
}

/// The client may lower our limit, but not lift it. Zero is no limit.
bool is_acceptable(std::uint32_t asked, std::uint32_t least, std::uint32_t most) {
  if (asked == 0) return most == 0;
  return asked >= least && (most == 0 || asked <= most);
}

/// What stands for "no limit": a frame can't be larger than a message.
std::uint32_t frame_max_of(std::uint32_t agreed, const Limits& limits) {
  if (agreed != 0) return agreed;
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(limits.max_message_size + frame_min_size, UINT32_MAX));
}

}  // namespace

void Connection::send_start(ProtocolVersion version) {
  encode_method(talk_.output.text(), 0,
                ConnectionStart{version.major, version.minor,
                                server_properties(talk_.environment, version),
                                offered_mechanisms(talk_.environment, talk_.peer), "en_US"});
}

void Connection::on_control_frame(const Frame& frame) {
  const auto method = decode_method(frame.payload);
  if (!method) {
    if (is_ending()) return;
    Failure failure = undecodable(method.error(), frame.payload);
    if (method.error().code == base::ErrorCode::invalid_argument) {
      // Of text that is no UTF-8 a stranger is told nothing; others are told here what had it.
      if (state_ == State::starting) return fail_handshake(failure.text);
      failure.method = peek_method(frame.payload);
    }
    return fail(failure);
  }
  on_control_method(*method);
}

void Connection::on_control_method(const Method& method) {
  if (is_ending()) return on_ending_method(method);
  if (state_ == State::running) return on_running_method(method);
  if (const auto* start_ok = std::get_if<ConnectionStartOk>(&method);
      start_ok && state_ == State::starting)
    return on_start_ok(*start_ok);
  if (const auto* tune_ok = std::get_if<ConnectionTuneOk>(&method);
      tune_ok && state_ == State::tuning)
    return on_tune_ok(*tune_ok);
  if (const auto* open = std::get_if<ConnectionOpen>(&method); open && state_ == State::opening)
    return on_open(*open);
  fail_handshake(fmt::format("unexpected {}", name(method)));
}

void Connection::on_start_ok(const ConnectionStartOk& start_ok) {
  const base::FieldTable& properties = start_ok.client_properties;
  talk_.notifies_consumer_cancel = has_capability(properties, "consumer_cancel_notify");
  talk_.notifies_blocked = has_capability(properties, "connection.blocked");
  talk_.closes_on_login_failure = has_capability(properties, "authentication_failure_close");
  base::ByteWriter writer(client_properties_);
  base::write_field_table(writer, properties);
  client_properties_.shrink_to_fit();
  info_.auth_mechanism = start_ok.mechanism;

  if (!is_offered(start_ok.mechanism, talk_.environment, talk_.peer))
    return fail_handshake(
        fmt::format("unknown authentication mechanism '{}'", start_ok.mechanism));
  auto request = read_login(start_ok);
  if (!request && request.error().code == base::ErrorCode::access_refused)
    return refuse_login(start_ok.mechanism, request.error().text);
  if (!request) return fail_handshake(request.error().text);
  is_asking_ = true;
  talk_.environment.authorizer.log_in(
      this, std::move(*request),
      [this](base::Result<broker::Login> login) {
        if (state_ == State::starting) on_login(std::move(login));
        end_asking();
      });
}

base::Result<broker::LoginRequest> Connection::read_login(const ConnectionStartOk& start_ok) const {
  if (start_ok.mechanism == external_mechanism) {
    TRY_ASSIGN(std::string user, certificate_user(talk_.peer));
    return broker::LoginRequest{std::move(user), std::nullopt};
  }
  TRY_ASSIGN(Credentials credentials, read_credentials(start_ok.mechanism, start_ok.response));
  return broker::LoginRequest{std::move(credentials.user), std::move(credentials.password)};
}

/// Goes on with what came meanwhile.
void Connection::end_asking() {
  is_asking_ = false;
  talk_.note_event();
  read_held();
}

void Connection::on_login(base::Result<broker::Login> login) {
  const Environment& environment = talk_.environment;
  if (!login) return refuse_login(info_.auth_mechanism, login.error().text);
  if (auto allowed = broker::check_place(login->user, talk_.peer.is_loopback,
                                         environment.loopback_users);
      !allowed)
    return refuse_login(info_.auth_mechanism, allowed.error().text);
  talk_.login = std::move(*login);
  state_ = State::tuning;
  const Limits& limits = environment.limits;
  encode_method(talk_.output.text(), 0,
                ConnectionTune{limits.channel_max, limits.frame_max, limits.heartbeat_s});
}

void Connection::refuse_login(std::string_view mechanism, std::string_view why) {
  base::log_error("connection {}: {} login refused: {}", talk_.name(), mechanism, why);
  if (!talk_.closes_on_login_failure) return go_silent();
  fail({ReplyCode::access_refused,
        fmt::format("Login was refused using authentication mechanism {}. For details see the "
                    "broker logfile.",
                    mechanism),
        {},
        false});
}

void Connection::on_tune_ok(const ConnectionTuneOk& tune_ok) {
  const Limits& limits = talk_.environment.limits;
  if (!is_acceptable(tune_ok.channel_max, 1, limits.channel_max) ||
      !is_acceptable(tune_ok.frame_max, frame_min_size, limits.frame_max)) {
    base::log_error("connection {}: channel_max {} or frame_max {} is out of bounds", talk_.name(),
                    tune_ok.channel_max, tune_ok.frame_max);
    return reset();
  }
  info_.channel_max = tune_ok.channel_max == 0 ? UINT16_MAX : tune_ok.channel_max;
  info_.timeout_s = tune_ok.heartbeat;
  talk_.frame_max = frame_max_of(tune_ok.frame_max, limits);
  parser_.set_frame_max(talk_.frame_max);
  if (tune_ok.heartbeat != 0) {
    const base::Duration interval = std::chrono::seconds(tune_ok.heartbeat);
    next_send_check_ = now_ + interval / 2;
    next_receive_check_ = now_ + interval;
  }
  state_ = State::opening;
}

/// Whether the user may come in; a vhost that is full is closed to strangers, too.
base::Result<> Connection::check_room(const std::string& vhost) const {
  TRY(talk_.environment.client_limits.check_vhost(talk_.login.user, vhost));
  TRY(talk_.environment.client_limits.check_user(talk_.login.user));
  return talk_.environment.authorizer.check_vhost(talk_.login, vhost);
}

void Connection::on_open(const ConnectionOpen& open) {
  Environment& environment = talk_.environment;
  const std::uint32_t most = environment.limits.connection_max;
  if (most != 0 && environment.open_connections >= most)
    return fail({ReplyCode::not_allowed,
                 fmt::format("connection refused: node connection limit ({}) is reached", most),
                 ConnectionOpen::ids, false});
  if (auto allowed = check_room(open.virtual_host); !allowed) {
    is_asking_ = environment.authorizer.wait(talk_.login, this, [this, open] {
      is_asking_ = false;
      if (state_ == State::opening) on_open(open);
      end_asking();
    });
    if (is_asking_) return;
    base::log_error("connection {}: {}", talk_.name(), allowed.error().text);
    return fail({ReplyCode::not_allowed, allowed.error().text, ConnectionOpen::ids, false});
  }
  talk_.vhost = open.virtual_host;
  state_ = State::running;
  is_admitted_ = true;
  ++environment.open_connections;
  is_counted_ = true;
  environment.client_limits.add_connection(talk_.login.user, talk_.vhost);
  state_deadline_ = base::never;
  encode_method(talk_.output.text(), 0, ConnectionOpenOk{});
  base::log_info("connection {} opened by user '{}' in vhost '{}'", talk_.name(), talk_.login.user,
                 talk_.vhost);
}

void Connection::on_running_method(const Method& method) {
  if (std::holds_alternative<ConnectionClose>(method)) {
    state_ = State::draining;
    return;
  }
  if (std::holds_alternative<ConnectionUpdateSecret>(method))
    return encode_method(talk_.output.text(), 0, ConnectionUpdateSecretOk{});
  fail({ReplyCode::channel_error, "unexpected method in connection state running", ids(method),
        false});
}

}  // namespace warren::session::amqp091
