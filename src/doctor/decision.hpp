// SPDX-License-Identifier: Apache-2.0
// What follows from the findings. Pure.
#pragma once
#include <optional>

#include "doctor/finding.hpp"
#include "kernel/interfaces.hpp"

namespace sonde::doctor {

/// The hook of "ingress" or "egress": "tcx", else "clsact"; "unknown" where neither worked and one was not tried; ""
/// where neither is to be had.
[[nodiscard]] std::string hook_for(const Findings& findings, const std::string& direction);

/// From tc-programs, ring-buffer and the hooks. Without the ring buffer it is no: that is the default transport.
[[nodiscard]] Finding ebpf_source(const Findings& findings);
/// From af-packet-socket and af-packet-receive.
[[nodiscard]] Finding afpacket_source(const Findings& findings);

/// What `auto` takes, from source-ebpf and source-afpacket: the first that is not a no.
[[nodiscard]] DoctorCapture choose_capture(const Findings& findings);

struct XdpFacts {
  std::optional<std::uint64_t> features;  ///< enum XdpFeature; nothing: the kernel does not tell
  std::string program_name;               ///< of the XDP program that is there
};
[[nodiscard]] DoctorInterface describe_interface(const kernel::InterfaceInfo& interface, const XdpFacts& xdp,
                                                 const DoctorCapture& capture);

}  // namespace sonde::doctor
