// SPDX-License-Identifier: Apache-2.0
// Which programs sit on which hooks of which interfaces.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "kernel/attach.hpp"
#include "kernel/interfaces.hpp"
#include "kernel/object.hpp"
#include "sonde/result.hpp"

namespace sonde::packets {

/// How received packets are taken.
enum class XdpChoice {
  off,        ///< tc ingress: leaves offloads and queues of the device alone
  automatic,  ///< native XDP, else generic, else tc ingress
  native,     ///< native XDP or an error
  generic,    ///< generic XDP or an error
};

struct AttachOptions {
  XdpChoice xdp = XdpChoice::off;
  bool receive = true;
  bool send = true;
  bool tcx = true;  ///< false: clsact also where tcx is to be had (tests)
};

/// Waits for the programs that run at this moment (an RCU grace period, milliseconds).
void wait_for_running_programs();

/// Programs of one loaded packets object on any number of interfaces. Destroying it detaches them all.
class Attachments {
 public:
  /// The object must outlive the attachments.
  Attachments(const kernel::Object& object, AttachOptions options) : object_(&object), options_(options) {}

  /// Takes the first hook of each direction's ladder that works. On `lo` every packet is seen once: received, or sent
  /// if only sent ones are wanted. An error names the interface and why each hook failed.
  Result<void> attach(const kernel::InterfaceInfo& interface);

  /// Forgets an interface that is gone.
  void forget(std::uint32_t ifindex);
  [[nodiscard]] bool contains(std::uint32_t ifindex) const { return links_.contains(ifindex); }
  [[nodiscard]] bool empty() const { return links_.empty(); }

  /// Detaches all and waits until no program runs any more: the counters are final then.
  void detach();

  /// "eth0: in by tcx, out by tcx" and what the user should know, in order of attachment.
  [[nodiscard]] const std::vector<std::string>& notices() const { return notices_; }

 private:
  const kernel::Object* object_;
  AttachOptions options_;
  std::map<std::uint32_t, std::vector<kernel::Link>> links_;
  std::vector<std::string> notices_;
};

}  // namespace sonde::packets
