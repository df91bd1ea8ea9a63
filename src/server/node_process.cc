#include "server/node_process.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/log.h"
#include "base/random.h"
#include "management/plugins.h"
#include "management/reports.h"
#include "net/mailbox.h"
#include "server/node_directory.h"
#include "server/plugins_file.h"
#include "server/process.h"
#include "server/process_facts.h"

namespace warren::server {
namespace {

using management::AppState;

constexpr std::uint16_t default_amqp_port = 5672;
constexpr std::uint16_t dist_port_distance = 20000;
/// How long callers may take to read their answers when the process ends.
constexpr std::chrono::seconds farewell_patience(2);
constexpr std::string_view management_plugin = "rabbitmq_management";
constexpr std::string_view certificate_plugin = "rabbitmq_auth_mechanism_ssl";

std::uint16_t dist_port_of(const Settings& settings) {
  if (settings.environment.dist_port) return *settings.environment.dist_port;
  if (settings.configuration.dist_port) return *settings.configuration.dist_port;
  unsigned port = settings.environment.node_port.value_or(default_amqp_port) + dist_port_distance;
  return port <= 65535 ? static_cast<std::uint16_t>(port) : std::uint16_t{0};
}

}  // namespace

NodeProcess::NodeProcess(net::Shard& shard, const Settings& settings)
    : shard_(shard),
      settings_(settings),
      started_(shard.now()),
      application_(shard, settings),
      membership_(shard, settings, application_),
      commands_(*this),
      http_api_(*this),
      control_([this](const std::string&, const std::string& request,
                      ControlEndpoint::Reply reply) { on_control_request(request, reply); }),
      deadline_timer_(shard, [] {}),
      alarms_(settings.environment.node_name) {
  begin_alarms();
  application_.set_observer([this](AppState state) { on_app_state(state); });
  application_.set_prelude([this] { return serve_http(); });
  application_.set_query_handler(
      [this](base::ByteView request) { return management::answer_query(*this, request); });
  application_.set_bulletin_handler(
      [this](const auto& member, const auto& key, base::ByteView text) {
        on_bulletin(member, key, text);
      });
  control_.set_on_drained([this] { end_when_drained(); });
  shard_.set_turn_end([this] { end_turn(); });
}

NodeProcess::~NodeProcess() {
  shard_.set_turn_end(nullptr);
  application_.set_observer(nullptr);
}

void NodeProcess::open(std::function<void(base::Result<>)> done) {
  auto plugins = read_enabled_plugins(settings_.environment.enabled_plugins_file);
  if (!plugins) return done(std::unexpected(plugins.error()));
  enable_plugins(*plugins);
  for (const std::string& name : enabled_plugins_)
    if (!management::is_known_plugin(name))
      base::log_warning("plugins currently enabled but missing: {}", name);

  const Environment& environment = settings_.environment;
  auto dist = DistListener::open(
      shard_, {{environment.node_ip_address, dist_port_of(settings_)},
               environment.node_name,
               settings_.cookie,
               [this](net::PeerRole role, const std::string&) {
                 if (role == net::PeerRole::cli)
                   return std::pair{net::Admission::accepted, std::string()};
                 return application_.admission();
               },
               [this](Acquaintance acquaintance) { on_acquaintance(std::move(acquaintance)); }});
  if (!dist)
    return done(
        base::fail(dist.error().code, "the port for nodes and commands: " + dist.error().text));
  dist_ = std::move(*dist);

  EpmdRegistration::Options options;
  options.port = environment.epmd_port;
  options.node.name = environment.node_short_name();
  options.node.port = dist_->local().port;
  options.start_service = [] {
    if (auto started = start_own_process("epmd"); !started)
      base::log_error("cannot start the name service: {}", started.error().text);
  };
  registration_ = std::make_unique<EpmdRegistration>(shard_, std::move(options), std::move(done));
}

void NodeProcess::on_acquaintance(Acquaintance acquaintance) {
  switch (acquaintance.role) {
    case net::PeerRole::cli:
      return control_.adopt(std::move(acquaintance.stream), acquaintance.peer,
                            std::move(acquaintance.rest));
    case net::PeerRole::node:
      return application_.adopt_link(std::move(acquaintance));
    case net::PeerRole::probe:
      return;
  }
}

void NodeProcess::on_control_request(const std::string& request,
                                     const ControlEndpoint::Reply& reply) {
  if (membership_.answer(request, reply)) return;
  commands_.execute(request, reply);
}

void NodeProcess::end_turn() {
  base::Time now = shard_.now();
  application_.tick(now);
  if (http_) {
    http_->tick(now);
    http_->flush(now);
  }
  bool has_more = application_.end_turn(now);
  if (http_) {
    http_->flush(now);
    has_more = has_more || http_->has_ready();
  }
  // What is left waits until the sockets had their turn.
  if (has_more) shard_.mailbox()->post([] {});
  check_alarms(now);
  base::Time deadline = std::min(application_.deadline(), next_alarm_check_);
  if (http_) deadline = std::min(deadline, http_->deadline());
  deadline_timer_.set(deadline);
}

void NodeProcess::on_app_state(AppState state) {
  if (state == AppState::running) {
    offer_plugins();
    for (const std::string& vhost : traced_vhosts_) application_.clients()->trace(vhost, true);
    publish_alarms();
    base::log_info("{} is ready", node_name());
  } else if (state == AppState::failed && application_.has_crashed()) {
    exit_status_ = 1;
    shard_.stop();
  } else if (state != AppState::starting) {
    if (state != AppState::stopping) alarms_.forget_others();
    // A request may be what stops us: its connection goes when this turn is over.
    shard_.mailbox()->post([this] {
      if (app_state() != AppState::running) http_.reset();
    });
  }
}

bool NodeProcess::is_plugin_active(std::string_view name) const {
  return active_plugins_.contains(name);
}

void NodeProcess::enable_plugins(const std::vector<std::string>& enabled) {
  enabled_plugins_ = enabled;
  active_plugins_ = management::with_dependencies(enabled);
  exchange_types_ = broker::ExchangeTypes(active_plugins_);
}

void NodeProcess::offer_plugins() {
  application_.clients()->allow_external(is_plugin_active(certificate_plugin));
  application_.clients()->offer_exchange_types(exchange_types_);
}

base::Result<> NodeProcess::serve_http() {
  if (!is_plugin_active(management_plugin)) {
    http_.reset();
    return {};
  }
  if (http_) return {};
  management::HttpConnection::Options options;
  options.may_send_body = [this](const management::HttpRequest& head) {
    return http_api_.knows_sender(head);
  };
  auto http = std::make_unique<HttpClients>(
      shard_, [this](const management::HttpRequest& request,
                     std::function<void(management::HttpResponse)> answer) {
        http_api_.handle(request, std::move(answer));
      }, std::move(options));
  const ListenerConfig& listeners = settings_.configuration.listeners;
  const ListenAddress& address = settings_.configuration.management;
  auto failed = [](const base::Error& error) {
    return base::fail(error.code, "the listener of rabbitmq_management: " + error.text);
  };
  if (listeners.management_tls.empty() || listeners.has_management_tcp) {
    if (auto opened = http->listen(address.address, address.port, nullptr); !opened)
      return failed(opened.error());
    base::log_info("Management plugin: HTTP (non-TLS) listener started on port {}", address.port);
  }
  for (const ListenAddress& secure : listeners.management_tls) {
    auto credentials = net::TlsCredentials::open(listeners.tls_of_management());
    if (!credentials) return failed(credentials.error());
    if (auto opened = http->listen(secure.address, secure.port, *credentials); !opened)
      return failed(opened.error());
    base::log_info("Management plugin: HTTPS listener started on port {}", secure.port);
  }
  http_ = std::move(http);
  return {};
}

void NodeProcess::shut_down() {
  if (is_shutting_down_) return;
  stop([](base::Result<>) {});
}

void NodeProcess::stop(Done done) {
  if (is_shutting_down_) return done({});
  is_shutting_down_ = true;
  base::log_info("stopping the node");
  application_.stop([this, done = std::move(done)](base::Result<> result) {
    registration_.reset();
    done(std::move(result));
    is_ending_ = true;
    after(farewell_patience, [this] { shard_.stop(); });
    shard_.mailbox()->post([this] { end_when_drained(); });
  });
}

void NodeProcess::end_when_drained() {
  if (!is_ending_ || !control_.is_drained()) return;
  // One turn more, so that the answer is with the system before the process ends.
  shard_.mailbox()->post([this] { shard_.stop(); });
}

}  // namespace warren::server
