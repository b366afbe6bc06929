// SPDX-License-Identifier: Apache-2.0
// /metrics, /status and /healthz over HTTP/1.1, in a thread of its own, so that a slow reader delays no connection.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "base/fd.hpp"
#include "sonde/result.hpp"

namespace sonde::proxy {

/// What the pages say. Called from the admin thread.
struct AdminPages {
  std::function<std::string()> metrics;  ///< Prometheus text format 0.0.4
  std::function<std::string()> status;   ///< JSON
  std::function<bool()> healthy;         ///< /healthz: 200 "ok", else 503 "draining"
};

class AdminServer {
 public:
  /// Takes a listening socket. Requests time out after 10 s; GET and HEAD only.
  [[nodiscard]] static Result<std::unique_ptr<AdminServer>> start(Fd listener, AdminPages pages);
  virtual ~AdminServer() = default;
};

}  // namespace sonde::proxy
