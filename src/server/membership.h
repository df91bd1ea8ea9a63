#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "management/json.h"
#include "server/application.h"
#include "server/control_call.h"

namespace warren::server {

/// Joining, leaving and changing one's kind, by agreement with a member of the cluster that runs;
/// and the other side of that: what a node answers to others that want to join or leave.
class Membership {
 public:
  using Done = std::function<void(base::Result<>)>;

  /// All must outlive it.
  Membership(net::Shard& shard, const Settings& settings, Application& application);
  ~Membership();

  /// See management::Operations. The first four need the application stopped.
  void reset(Done done);
  void join(const catalog::NodeName& target, bool ram, Done done);
  void change_kind(catalog::NodeKind kind, Done done);
  void force_reset(Done done);
  void forget(const catalog::NodeName& member, Done done);

  /// Answers a request of another node; false when it is none of these.
  bool answer(const std::string& request, const std::function<void(std::string)>& reply);

 private:
  /// What a node says of the cluster that it is in.
  struct Description {
    bool is_running = false;
    struct Member {
      catalog::NodeName name;
      catalog::NodeKind kind = catalog::NodeKind::disc;
      bool running = false;
    };
    std::vector<Member> members;
    std::vector<catalog::NodeName> voters;
    const Member* find(const catalog::NodeName& name) const;
    std::size_t disc_members() const;
  };
  using Described = std::function<void(base::Result<Description>)>;

  void ask(const catalog::NodeName& node, const management::JsonObject& request,
           std::function<void(base::Result<management::JsonObject>)> done);
  void describe(const catalog::NodeName& node, Described done);
  /// The description by the first of `others` that runs; empty when none does.
  void find_running(std::vector<catalog::NodeName> others, Described done,
                    std::function<void(const catalog::NodeName&)> found);
  static base::Result<Description> read_description(const management::JsonObject& reply);

  void on_target_described(const catalog::NodeName& target, bool ram, const Description& cluster,
                           Done done);
  void leave_old_cluster(const cluster::NodeFacts& facts, const catalog::NodeName& new_member,
                         std::function<void()> done);
  void ask_admission(const catalog::NodeName& target, bool ram, const Description& cluster,
                     Done done);
  management::JsonObject own_description();
  void propose(const catalog::Command& command, const std::function<void(std::string)>& reply);

  net::Shard& shard_;
  const Settings& settings_;
  Application& application_;
  Caller caller_;
  std::uint64_t last_call_ = 0;
  std::map<std::uint64_t, std::unique_ptr<ControlCall>> calls_;
};

}  // namespace warren::server
