#pragma once

#include <vector>

#include "catalog/records.h"

namespace warren::catalog {

/// Hears of each change to what routes are made of, when the catalog has applied it. It must not
/// change the catalog, and keeps what it needs of the records.
class RouteListener {
 public:
  virtual ~RouteListener() = default;
  virtual void on_bound(const Binding& binding) = 0;
  /// Not called for each binding of an exchange that goes itself.
  virtual void on_unbound(const Binding& binding) = 0;
  /// A queue of that name came or went.
  virtual void on_queue(const ResourceName& name) = 0;
  /// An exchange of that name came, or went with all its bindings.
  virtual void on_exchange(const ResourceName& name) = 0;
  /// The policy of that exchange, or what it says, may have changed.
  virtual void on_exchange_policy(const ResourceName& name) = 0;
  /// Anything may have changed. The catalog must not be read from inside this call.
  virtual void on_all_routes() = 0;
};

/// The listeners of one catalog. They belong to its place, not to its contents: a copy has none,
/// and a catalog that is assigned to keeps its own and tells them.
class RouteListeners {
 public:
  RouteListeners() = default;
  RouteListeners(const RouteListeners&) {}
  RouteListeners& operator=(const RouteListeners&) {
    tell(&RouteListener::on_all_routes);
    return *this;
  }

  void add(RouteListener& listener) { listeners_.push_back(&listener); }
  void remove(RouteListener& listener) { std::erase(listeners_, &listener); }

  template <typename... Parameters>
  void tell(void (RouteListener::*event)(Parameters...), Parameters... arguments) {
    for (RouteListener* listener : listeners_) (listener->*event)(arguments...);
  }

 private:
  std::vector<RouteListener*> listeners_;
};

}  // namespace warren::catalog
