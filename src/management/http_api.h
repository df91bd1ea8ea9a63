#pragma once

#include <functional>

#include "management/http_connection.h"
#include "management/operations.h"

namespace warren::management {

/// The HTTP API (/api/...) and the page at /. One for a node; it keeps no state between requests.
class HttpApi {
 public:
  /// `operations` must outlive the API and every answer.
  explicit HttpApi(Operations& operations) : operations_(operations) {}

  /// Authenticates, routes and answers one request; see HttpHandler.
  void handle(const HttpRequest& request, std::function<void(HttpResponse)> answer);
  /// Whether the head comes from somebody who may ask for something.
  bool knows_sender(const HttpRequest& head) const;

 private:
  Operations& operations_;
};

}  // namespace warren::management
