// SPDX-License-Identifier: Apache-2.0
// The local socket over which a running proxy is asked, and over which it hands its listeners to the next one.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "actuators/proxy/process/sockets.hpp"
#include "sonde/result.hpp"

namespace sonde::proxy {

/// What a request does; called from the control thread. A failure is told to who asked.
struct ControlRequests {
  std::function<Result<std::string>()> reload;
  std::function<Result<std::string>()> status;
  std::function<Result<std::string>()> stop;
  /// Duplicates of the listening sockets. After the answer has been taken, handed_over() is called: stop accepting, and
  /// end as the connections do.
  std::function<Result<std::vector<ListeningSocket>>()> listeners;
  std::function<void()> handed_over;
};

/// Removes the socket's path when it ends, unless another proxy has it by then. Only the same user and root may
/// connect.
class ControlServer {
 public:
  [[nodiscard]] static Result<std::unique_ptr<ControlServer>> start(const std::string& path, ControlRequests requests);
  virtual ~ControlServer() = default;
};

/// The listening sockets of the proxy at `path`, in two steps, so that no moment is without somebody who accepts: they
/// are given now, and release() says that they are being served.
class HandOver {
 public:
  [[nodiscard]] static Result<HandOver> ask(const std::string& path);
  [[nodiscard]] std::vector<ListeningSocket> take() { return std::move(sockets_); }
  /// Tells the old one to accept no more, and waits until it has closed its control socket's path.
  [[nodiscard]] Result<void> release();

 private:
  HandOver(Fd connection, std::vector<ListeningSocket> sockets)
      : connection_(std::move(connection)), sockets_(std::move(sockets)) {}
  Fd connection_;
  std::vector<ListeningSocket> sockets_;
};

}  // namespace sonde::proxy
