// SPDX-License-Identifier: Apache-2.0
// What works on this kernel with these privileges, found out by trying.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/export.hpp"

namespace sonde {

enum class Answer {
  yes,      ///< tried, and it worked
  no,       ///< tried, and it cannot work here
  unknown,  ///< could not be tried: the reason says why
};
/// "yes", "no", "unknown".
[[nodiscard]] SONDE_EXPORT const char* answer_name(Answer answer);

/// One row: all texts but name, group and purpose may be empty.
struct DoctorFeature {
  std::string group;    ///< privileges, kernel, transport, programs, hooks, owners, sources
  std::string name;     ///< "tcx-ingress"; see docs/doctor.md
  std::string purpose;  ///< what sonde does with it
  Answer answer = Answer::unknown;
  std::string hook;    ///< what was used, or what it is set to
  std::string reason;  ///< why not, or why it could not be tried
  std::string advice;  ///< what to do about it
};

/// A network interface of this host. Nothing was attached to it: that can reset a network card's queues.
struct DoctorInterface {
  std::string name;
  bool up = false;
  std::string link;                     ///< "ethernet", "raw ip" (packets without a link header), "loopback"
  Answer native_xdp = Answer::unknown;  ///< what the driver says (netdev family of generic netlink, Linux 6.3)
  std::uint32_t xdp_program = 0;        ///< id of the XDP program that is there, 0: none
  std::string receive;                  ///< how `sonde capture` takes its packets by default; "" if it cannot
  std::string send;                     ///< likewise; "" also on loopback, where a received packet was the sent one
  std::string note;
};

/// What `sonde capture` does without options.
struct DoctorCapture {
  std::string source;   ///< "ebpf", "afpacket", "none"
  std::string receive;  ///< "tcx", "clsact", "AF_PACKET", "unknown"; "" without a source
  std::string send;
  std::string reason;  ///< why it is not eBPF, or what could not be tried; may be empty
};

struct DoctorReport {
  std::string kernel;      ///< release and machine: "6.1.0-40-amd64 x86_64". For people: no answer follows from it
  std::string privileges;  ///< "root", "user 1000"
  std::vector<DoctorFeature> features;
  std::vector<DoctorInterface> interfaces;
  DoctorCapture capture;
};

/// Tries everything: loads the real programs and, in a child process with a network namespace of its own, attaches them
/// to a pair of virtual interfaces and sends packets through. Takes some hundred milliseconds; leaves nothing behind.
///
///     const auto report = sonde::examine();
///     if (sonde::doctor_answer(report, "tcx-egress") != sonde::Answer::yes) ...
[[nodiscard]] SONDE_EXPORT DoctorReport examine();

/// The answer of one feature; `unknown` also for a name that does not exist.
[[nodiscard]] SONDE_EXPORT Answer doctor_answer(const DoctorReport& report, std::string_view feature);

}  // namespace sonde
