// SPDX-License-Identifier: Apache-2.0
// Network namespaces for tests. They have no name and live by file descriptors of the test process only, so that
// nothing is left behind however the test ends.
#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "base/fd.hpp"

namespace sonde::test {

/// A new network namespace with `lo` up and IPv6 off, so that the kernel sends no packets of its own. Failures throw
/// std::runtime_error. Needs root.
class NetworkNamespace {
 public:
  enum class Ipv6 { off, on };
  explicit NetworkNamespace(Ipv6 ipv6 = Ipv6::off);

  /// Runs a shell command inside and returns its output; throws if it fails.
  // NOLINTNEXTLINE(modernize-use-nodiscard): most commands are run for what they do
  std::string run(const std::string& command) const;
  /// Calls a function with this thread inside. Sockets that it opens stay in the namespace.
  void call(const std::function<void()>& function) const;

  [[nodiscard]] int fd() const { return fd_.get(); }
  /// For `ip link set DEVICE netns PATH`.
  [[nodiscard]] std::string path() const;

 private:
  Fd fd_;
};

/// A veth pair between two namespaces, both ends up and ready to carry packets.
void add_veth(const NetworkNamespace& a, const std::string& name_a, const NetworkNamespace& b,
              const std::string& name_b);

/// A VLAN interface (802.1Q) "vlan<id>" on top of `device`, up. False: this kernel has none (CONFIG_VLAN_8021Q).
[[nodiscard]] bool add_vlan(const NetworkNamespace& where, const std::string& device, int id);

/// A counter of an interface in a namespace, "rx_packets", "tx_bytes", "rx_dropped" ... as `ip -s link` shows it.
std::uint64_t interface_counter(const NetworkNamespace& where, const std::string& interface,
                                const std::string& counter);

}  // namespace sonde::test
