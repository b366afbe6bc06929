// SPDX-License-Identifier: Apache-2.0
// The interfaces whose packets are taken: attached, and followed when "any" was asked for.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kernel/interfaces.hpp"
#include "kernel/object.hpp"
#include "sensors/packets/attachment.hpp"
#include "sonde/packet.hpp"
#include "sonde/result.hpp"

namespace sonde::packets {

/// What the interfaces' own counters say.
struct DeviceLoss {
  std::uint64_t missed = 0;   ///< never reached a hook
  std::uint64_t dropped = 0;  ///< by the driver, or behind the hook
  [[nodiscard]] std::string note() const;
};

class WatchedInterfaces {
 public:
  /// Called for an interface before it is attached to.
  using Prepare = std::function<Result<void>(const kernel::InterfaceInfo& interface)>;

  /// The object must outlive it.
  WatchedInterfaces(const kernel::Object& object, std::vector<std::string> names, AttachOptions attach,
                    Prepare prepare = {});

  /// Attaches to all that were asked for.
  Result<void> start();
  /// Takes up interfaces that came, with "any", and forgets those that went. Cheap when nothing happened.
  void follow();
  /// Detaches all and waits until no program runs any more.
  void detach();

  [[nodiscard]] const InterfaceTable& table() const { return table_; }
  /// Ifindexes of interfaces that went since the last call.
  [[nodiscard]] std::set<std::uint32_t> take_gone();
  [[nodiscard]] DeviceLoss device_loss() const;
  /// Grows at its end only.
  [[nodiscard]] const std::vector<std::string>& notices() const { return notices_; }

 private:
  Result<void> attach(const kernel::InterfaceInfo& interface);
  void tell_attachments();

  std::vector<std::string> names_;
  Prepare prepare_;
  bool any_;
  Attachments attachments_;
  std::size_t told_ = 0;  ///< notices of the attachments that are among ours
  InterfaceTable table_;
  std::map<std::uint32_t, kernel::InterfaceCounters> counters_at_start_;
  std::optional<kernel::InterfaceWatcher> watcher_;
  std::set<std::uint32_t> gone_;
  std::vector<std::string> notices_;
  bool detached_ = false;
};

/// How many of each were there when a source had started.
struct NoticesAtStart {
  std::size_t interfaces = 0;
  std::size_t owners = 0;
};

/// What a source tells of its interfaces and owners, in an order that grows at its end only; `notice` may be empty.
[[nodiscard]] std::vector<std::string> in_order(const std::vector<std::string>& interfaces, const std::string& notice,
                                                const std::vector<std::string>& owners, const NoticesAtStart& start);

}  // namespace sonde::packets
