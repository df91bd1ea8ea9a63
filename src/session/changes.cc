#include <iterator>
#include <memory>
#include <utility>

#include "base/assert.h"
#include "broker/names.h"
#include "session/channel.h"
#include "session/publish_checks.h"

/// Changes of the catalog. A client that does not wait for each answer has those of a turn made
/// together: they wait for the disk, or a majority, once. Each is checked when its method comes,
/// and again when it takes effect, after those before it; behind one that is refused none takes
/// effect before the refusal has been dealt with.
namespace warren::session::amqp091 {

using namespace codec::amqp091;

namespace {

/// Most changes that go out together, and most octets of their methods.
constexpr std::size_t max_changes = 512;
constexpr std::size_t max_changes_bytes = 64 * 1024;

}  // namespace

Verdict Channel::change(catalog::Command command, Continuation then) {
  if (!changes_) changes_ = std::make_shared<Changes>();
  changes_->commands.push_back(std::move(command));
  changes_->next.push_back({current_, std::move(then)});
  return {};
}

/// Whether handling the method ends in a change, or in a refusal, as the catalog is now.
bool Channel::may_join(const Method& method) const {
  if (const auto* declare = std::get_if<QueueDeclare>(&method))
    return !declare->passive && !declare->exclusive && !declare->queue.empty() &&
           !declare->queue.starts_with(direct_reply_to) &&
           catalog().find_queue(in_vhost(broker::strip_line_breaks(declare->queue))) == nullptr;
  if (const auto* declare = std::get_if<ExchangeDeclare>(&method))
    return !declare->passive && catalog().find_exchange(in_vhost(broker::strip_line_breaks(
                                    declare->exchange))) == nullptr;
  // An empty name is that of the queue declared last, perhaps by a change that waits.
  if (const auto* bind = std::get_if<QueueBind>(&method)) return !bind->queue.empty();
  if (const auto* unbind = std::get_if<QueueUnbind>(&method)) return !unbind->queue.empty();
  return std::holds_alternative<ExchangeBind>(method) ||
         std::holds_alternative<ExchangeUnbind>(method);
}

/// Handles the method beside the changes that wait already. One that is refused may only need
/// what they bring, so it waits for them.
bool Channel::join(const Method& method, std::size_t bytes) {
  if (is_busy() || !changes_) return false;
  if (changes_->commands.size() >= max_changes || changes_->bytes + bytes > max_changes_bytes)
    return false;
  if (!may_join(method) || !handle_method(method)) return false;
  changes_->bytes += bytes;
  return true;
}

bool Channel::join_first_waiting() {
  const Waiting& first = inbox_.front();
  const auto* method = std::get_if<Method>(&first.what);
  if (method == nullptr || !join(*method, first.bytes)) return false;
  talk_.inbox_bytes -= first.bytes;
  inbox_.pop_front();
  return true;
}

void Channel::propose_changes() {
  if (!changes_ || is_busy()) return;
  const std::shared_ptr<Changes> changes = std::exchange(changes_, nullptr);
  const broker::RequestId request =
      ask([this, changes](const Answer& answer) { return on_changed(*changes, answer); });
  gateway().change(id_, request, changes->commands);
}

Verdict Channel::on_changed(Changes& changes, const Answer& answer) {
  const std::size_t made = answer ? answer->changes : 0;
  ASSERT(made <= changes.next.size());
  for (std::size_t i = 0; i < made; ++i) {
    current_ = changes.next[i].method;
    if (Verdict verdict = changes.next[i].then(*answer); !verdict) return verdict;
  }
  if (made == changes.next.size()) return {};
  const Changes::Next refused = std::move(changes.next[made]);
  for (std::size_t i = made + 1; i < changes.next.size(); ++i) {
    current_ = changes.next[i].method;
    change(std::move(changes.commands[i]), std::move(changes.next[i].then));
  }
  current_ = refused.method;
  return refused.then(answer ? Answer(std::unexpected(*answer->refusal)) : answer);
}

}  // namespace warren::session::amqp091
