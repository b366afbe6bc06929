// SPDX-License-Identifier: Apache-2.0
// The interfaces whose packets are counted: attached, grouped, followed when "any" was asked for.
#pragma once
#include <cstdint>
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

namespace sonde::flows {

/// What the interfaces' own counters say.
struct DeviceLoss {
  std::uint64_t missed = 0;   ///< never reached a hook
  std::uint64_t dropped = 0;  ///< by the driver, or behind the hook
  [[nodiscard]] std::string note() const;
};

class WatchedInterfaces {
 public:
  /// The object must outlive it.
  WatchedInterfaces(const kernel::Object& object, std::vector<std::string> names, packets::AttachOptions attach,
                    std::vector<std::vector<std::string>> groups);

  /// Attaches to all that were asked for.
  Result<void> start();
  /// Takes up interfaces that came, with "any", and forgets those that went. Cheap when nothing happened.
  void follow();
  /// Detaches all and waits until no program runs any more.
  void detach();

  [[nodiscard]] const InterfaceTable& table() const { return table_; }
  /// sonde_flow_key.group of interfaces that went since the last call.
  [[nodiscard]] std::set<std::uint32_t> take_gone();
  [[nodiscard]] DeviceLoss device_loss() const;
  /// Grows at its end only.
  [[nodiscard]] const std::vector<std::string>& notices() const { return notices_; }

 private:
  Result<void> attach(const kernel::InterfaceInfo& interface);
  Result<void> put_group(const kernel::InterfaceInfo& interface);
  void tell_attachments();

  const kernel::Object* object_;
  std::vector<std::string> names_;
  std::vector<std::vector<std::string>> groups_;
  bool any_;
  packets::Attachments attachments_;
  std::size_t told_ = 0;  ///< notices of the attachments that are among ours
  InterfaceTable table_;
  std::map<std::uint32_t, kernel::InterfaceCounters> counters_at_start_;
  std::optional<kernel::InterfaceWatcher> watcher_;
  std::set<std::uint32_t> gone_;
  std::vector<std::string> notices_;
  bool detached_ = false;
};

}  // namespace sonde::flows
