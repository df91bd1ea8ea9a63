#pragma once

#include <map>

#include "sim/client.h"

namespace warren::sim {

/// Declares, deletes and purges queues and changes policies, while others use them.
class Admin final : public Client {
 public:
  struct QueuePlan {
    std::string name;
    bool is_durable = true;
    bool is_excused = false;  ///< its messages may go for reasons that are not looked at
    bool has_priorities = false;
    std::string dead_letters = {};  ///< the queue to which what is rejected goes, listed before
    base::FieldTable arguments = {};
  };

  Admin(World& world, Ledger& ledger, std::vector<QueuePlan> queues);

  /// Declares a queue again when it is missing, until it is there.
  void keep_declared();
  bool has_all() const;
  void set_policy(const std::string& definition);
  void clear_policy();
  void delete_queue(const std::string& name);
  void purge_queue(const std::string& name);
  bool is_idle() const override { return asked_.empty(); }

  void on_reply(broker::RequestId request, base::Result<broker::Reply> reply) override;

 private:
  enum class Kind { declare, policy, remove, purge };
  struct Asked {
    Kind kind;
    QueueId queue;
  };

  void on_connected() override;
  void on_disconnected() override { asked_.clear(); }
  void declare_missing();

  std::vector<QueuePlan> queues_;
  std::map<broker::RequestId, Asked> asked_;
};

}  // namespace warren::sim
