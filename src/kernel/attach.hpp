// SPDX-License-Identifier: Apache-2.0
// Programs on the hooks of an interface.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "base/fd.hpp"
#include "sonde/result.hpp"

namespace sonde::kernel {

/// An attached program. Destroying it detaches; a BPF link also goes when the process dies, whatever kills it.
class Link {
 public:
  Link(std::string hook, Fd fd) : hook_(std::move(hook)), fd_(std::move(fd)) {}
  Link(std::string hook, std::function<void()> detach) : hook_(std::move(hook)), detach_(std::move(detach)) {}
  Link(Link&& other) noexcept
      : hook_(std::move(other.hook_)), fd_(std::move(other.fd_)), detach_(std::exchange(other.detach_, nullptr)) {}
  Link& operator=(Link&& other) noexcept {
    std::swap(hook_, other.hook_);
    std::swap(fd_, other.fd_);
    std::swap(detach_, other.detach_);
    return *this;
  }
  ~Link() {
    if (detach_) detach_();
  }

  /// "native XDP", "generic XDP", "tcx", "clsact": for people.
  [[nodiscard]] const std::string& hook() const { return hook_; }
  /// Of the BPF link, to be pinned: then it stays when this object goes. -1: the hook is none.
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  std::string hook_;
  Fd fd_;
  std::function<void()> detach_;
};

enum class XdpMode { native, generic };
enum class TcDirection { ingress, egress };
enum class TcPosition { last, first };

/// Id of the XDP program on the interface, 0 if there is none.
[[nodiscard]] Result<std::uint32_t> query_xdp(std::uint32_t ifindex);

/// By a BPF link (Linux 5.9), so never in place of another program: then EBUSY.
[[nodiscard]] Result<Link> attach_xdp(int program_fd, std::uint32_t ifindex, XdpMode mode);

/// tcx link (Linux 6.6), behind the programs that are there, or before them. At ingress the wire splice of `sonde
/// proxy` stays the last one: packets that it sends on go no further, and who looks at packets is to see them.
[[nodiscard]] Result<Link> attach_tcx(int program_fd, std::uint32_t ifindex, TcDirection direction,
                                      TcPosition position = TcPosition::last);

/// cls_bpf on the clsact qdisc, which is made if absent. The filter's handle is the PID of its owner; filters of ours
/// whose process has died are removed first. Detaching removes the qdisc too when this call made it and nobody else
/// uses it by then.
[[nodiscard]] Result<Link> attach_clsact(int program_fd, std::uint32_t ifindex, TcDirection direction);

/// Removes clsact filters that killed processes left on the interface, and the qdisc if nothing else is on it. Returns
/// how many filters went.
Result<int> remove_stale_clsact(std::uint32_t ifindex);

/// Whether the interface has a clsact filter with this handle and priority.
[[nodiscard]] bool has_clsact_filter(std::uint32_t ifindex, TcDirection direction, std::uint32_t handle,
                                     std::uint32_t priority);

/// Removes the clsact qdisc of the interface if it has no filters.
void remove_clsact_if_unused(std::uint32_t ifindex);

}  // namespace sonde::kernel
