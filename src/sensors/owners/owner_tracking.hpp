// SPDX-License-Identifier: Apache-2.0
// Keeps the owner of every socket beside the socket, and gives it for the events of other sensors.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernel/object.hpp"
#include "sonde/owner.hpp"
#include "sonde/result.hpp"

namespace sonde::owners {

class OwnerTracking {
 public:
  /// Attaches the hooks that record owners, by the ladder or the rung that is forced, then seeds the sockets that are
  /// open already and the process table. ErrorKind::unsupported names every rung and why it failed.
  [[nodiscard]] static Result<std::unique_ptr<OwnerTracking>> start(const OwnerOptions& options);
  ~OwnerTracking();

  /// Before `object` is loaded: its bpf/owner.h maps become those of the owners object, its constants are set.
  Result<void> share(kernel::Object& object) const;

  /// Takes what has happened to processes. After a batch of events was read and before it is resolved: then every
  /// process that caused one of them is known.
  void refresh();
  [[nodiscard]] SocketOwner resolve(const sonde_socket_owner& raw);
  /// The owner filter's verdict; also told to the kernel, where it spares later events of this process.
  [[nodiscard]] bool wanted(const SocketOwner& owner);

  /// What is recorded for a socket of this process; nothing: no record.
  [[nodiscard]] std::optional<sonde_owner> recorded(int socket) const;

  /// Looks through all file tables again for sockets whose owner is not known (kernels whose accept() cannot be
  /// hooked).
  Result<void> seed();

  /// "owners: send by tp_btf tcp_sendmsg_locked, ..." and what is lost or was evicted.
  [[nodiscard]] std::vector<std::string> notices() const;

 private:
  struct State;
  explicit OwnerTracking(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sonde::owners
