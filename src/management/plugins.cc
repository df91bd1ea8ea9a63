#include "management/plugins.h"

#include <algorithm>

namespace warren::management {
namespace {


constexpr std::string_view for_management[] = {"rabbitmq_management_agent",
                                               "rabbitmq_web_dispatch"};
constexpr std::string_view management[] = {"rabbitmq_management"};
constexpr std::string_view federation_ui[] = {"rabbitmq_federation", "rabbitmq_management"};
constexpr std::string_view discovery[] = {"rabbitmq_peer_discovery_common"};
constexpr std::string_view shovel_ui[] = {"rabbitmq_management", "rabbitmq_shovel"};
constexpr std::string_view stream_ui[] = {"rabbitmq_management", "rabbitmq_stream"};
constexpr std::string_view web_mqtt[] = {"rabbitmq_mqtt"};
constexpr std::string_view web_mqtt_examples[] = {"rabbitmq_web_dispatch", "rabbitmq_web_mqtt"};
constexpr std::string_view web_stomp[] = {"rabbitmq_stomp"};
constexpr std::string_view web_stomp_examples[] = {"rabbitmq_web_dispatch", "rabbitmq_web_stomp"};

constexpr KnownPlugin plugins[] = {
    {"rabbitmq_amqp1_0", {}},
    {"rabbitmq_auth_backend_cache", {}},
    {"rabbitmq_auth_backend_http", {}},
    {"rabbitmq_auth_backend_ldap", {}},
    {"rabbitmq_auth_backend_oauth2", {}},
    {"rabbitmq_auth_mechanism_ssl", {}},
    {"rabbitmq_consistent_hash_exchange", {}},
    {"rabbitmq_delayed_message_exchange", {}},
    {"rabbitmq_event_exchange", {}},
    {"rabbitmq_federation", {}},
    {"rabbitmq_federation_management", federation_ui},
    {"rabbitmq_jms_topic_exchange", {}},
    {"rabbitmq_management", for_management},
    {"rabbitmq_management_agent", {}},
    {"rabbitmq_mqtt", {}},
    {"rabbitmq_peer_discovery_aws", discovery},
    {"rabbitmq_peer_discovery_common", {}},
    {"rabbitmq_peer_discovery_consul", discovery},
    {"rabbitmq_peer_discovery_etcd", discovery},
    {"rabbitmq_peer_discovery_k8s", discovery},
    {"rabbitmq_prometheus", for_management},
    {"rabbitmq_random_exchange", {}},
    {"rabbitmq_recent_history_exchange", {}},
    {"rabbitmq_sharding", {}},
    {"rabbitmq_shovel", {}},
    {"rabbitmq_shovel_management", shovel_ui},
    {"rabbitmq_stomp", {}},
    {"rabbitmq_stream", {}},
    {"rabbitmq_stream_management", stream_ui},
    {"rabbitmq_top", management},
    {"rabbitmq_tracing", management},
    {"rabbitmq_trust_store", {}},
    {"rabbitmq_web_dispatch", {}},
    {"rabbitmq_web_mqtt", web_mqtt},
    {"rabbitmq_web_mqtt_examples", web_mqtt_examples},
    {"rabbitmq_web_stomp", web_stomp},
    {"rabbitmq_web_stomp_examples", web_stomp_examples},
};

const KnownPlugin* find_plugin(std::string_view name) {
  const auto found = std::ranges::find(plugins, name, &KnownPlugin::name);
  return found == std::end(plugins) ? nullptr : found;
}

}  // namespace

std::span<const KnownPlugin> known_plugins() { return plugins; }

bool is_known_plugin(std::string_view name) { return find_plugin(name) != nullptr; }

std::set<std::string, std::less<>> with_dependencies(const std::vector<std::string>& explicitly) {
  std::set<std::string, std::less<>> all;
  std::vector<std::string_view> open(explicitly.begin(), explicitly.end());
  while (!open.empty()) {
    const KnownPlugin* plugin = find_plugin(open.back());
    open.pop_back();
    if (plugin && all.emplace(plugin->name).second)
      open.insert(open.end(), plugin->needs.begin(), plugin->needs.end());
  }
  return all;
}

std::string plugin_dependencies_text(std::string_view name) {
  if (name == "rabbitmq_management")
    return "[amqp_client,cowboy,cowlib,rabbitmq_web_dispatch,rabbitmq_management_agent]";
  std::string text;
  if (const KnownPlugin* plugin = find_plugin(name))
    for (std::string_view need : plugin->needs) {
      if (!text.empty()) text += ',';
      text += need;
    }
  return "[" + text + "]";
}

}  // namespace warren::management
