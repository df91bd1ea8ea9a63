#include "session/transaction.h"

#include <utility>

#include "session/channel.h"

/// tx.select, tx.commit and tx.rollback.
namespace warren::session::amqp091 {

using namespace codec::amqp091;

namespace {
constexpr std::string_view not_transactional = "channel is not transactional";
}

Verdict Channel::handle(const TxSelect&) {
  if (confirms_.is_selected())
    return refuse(ReplyCode::precondition_failed, "cannot switch from confirm to tx mode");
  if (!transaction_) transaction_ = std::make_unique<Transaction>();
  send(TxSelectOk{});
  return {};
}

Verdict Channel::handle(const TxCommit&) {
  if (!transaction_) return refuse(ReplyCode::precondition_failed, std::string(not_transactional));
  const Transaction transaction = std::exchange(*transaction_, {});
  committing_ = std::make_unique<Commit>(talk_.next_request(), last_publish_.next());
  std::vector<catalog::QueueId> queues;
  for (const auto& [publish, names] : transaction.publishes) {
    queues.clear();
    for (const catalog::ResourceName& name : names)
      if (const catalog::Queue* queue = catalog().find_queue(name)) queues.push_back(queue->id);
    send_out(publish, queues);
  }
  for (const auto& [deliveries, outcome] : transaction.settlements)
    settle_all(deliveries, outcome);
  gateway().sync(id_, committing_->sync);
  return {};
}

void Channel::continue_commit() {
  if (!committing_->is_synced || committing_->unconfirmed != 0) return;
  const bool has_failed = committing_->has_failed;
  committing_.reset();
  if (has_failed)
    finish(refuse(ReplyCode::precondition_failed, "partial tx completion"));
  else
    send(TxCommitOk{});
  drain_inbox();
}

Verdict Channel::handle(const TxRollback&) {
  if (!transaction_) return refuse(ReplyCode::precondition_failed, std::string(not_transactional));
  Transaction transaction = std::exchange(*transaction_, {});
  for (auto& settlement : transaction.settlements)
    unacknowledged_.put_back(std::move(settlement.deliveries));
  send(TxRollbackOk{});
  return {};
}

}  // namespace warren::session::amqp091
