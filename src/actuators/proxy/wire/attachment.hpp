// SPDX-License-Identifier: Apache-2.0
// forward_packet at tc ingress of the interfaces that packets for the proxy may come by, so that it stays there when
// the process ends: tcx links that are pinned, or clsact filters (before Linux 6.6).
//
// Packets have an Ethernet header there or none, and a program cannot tell: there is one for either.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sonde/result.hpp"

namespace sonde::proxy {

struct WirePrograms {
  int ethernet_fd = -1;  ///< forward_packet
  int raw_ip_fd = -1;    ///< forward_raw_packet
};

class Attachment {
 public:
  struct Interface {
    std::uint32_t ifindex = 0;
    std::string name;
    std::string hook;     ///< "tcx", "clsact"; empty: packets that come by it are not forwarded
    std::string failure;  ///< why not; follow() tries again
  };

  /// To every interface of the calling thread's network namespace that hands packets to the IP stack itself: not
  /// loopback, and not members of a bridge or bond. Behind the programs that are there. Where an earlier process left
  /// the program of its own, it is exchanged for this one: every packet meets one of the two. `directory`: for the
  /// pins of links; empty: nothing is pinned, and it ends with this object. An interface that cannot be taken is an
  /// error: what came by it would wait for sockets that sleep.
  [[nodiscard]] static Result<std::unique_ptr<Attachment>> make(const WirePrograms& programs,
                                                                const std::string& directory);
  /// What make() left in the directory stays; without a directory it is taken off.
  ~Attachment();

  /// Interfaces that have come since, and those that have gone or become members of a bridge. Quick if there are none.
  /// Not by two threads at once. Needs CAP_NET_ADMIN, and to be the owner of the directory.
  void follow();
  [[nodiscard]] const std::vector<Interface>& interfaces() const;

  /// Takes off what is pinned in the directory, and clsact filters of ours. One that is not there is no error.
  [[nodiscard]] static Result<void> remove(const std::string& directory);

 private:
  struct State;
  explicit Attachment(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// What the program needs to look up routes as a socket of this host does: bpf_fib_lookup() says
/// BPF_FIB_LKUP_RET_FWD_DISABLED unless forwarding is on for loopback. Nothing is ever forwarded from there. Done for
/// IPv4 and IPv6 (if there is any) of this network namespace, and not undone. Routes that routers have announced stay.
[[nodiscard]] Result<void> allow_route_lookup();

}  // namespace sonde::proxy
