// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sonde/export.hpp"
#include "sonde/filter.hpp"
#include "sonde/loss.hpp"
#include "sonde/owner.hpp"
#include "sonde/packet.hpp"
#include "sonde/result.hpp"

namespace sonde {

/// What `sonde capture` does. Names of sources, outputs and formats are those of the command line; a wrong one is an
/// error of Capture::make() that lists the right ones.
///
///     sonde::CaptureOptions options;
///     options.interfaces = {"eth0"};
///     options.filter.expression = "tcp port 443";
///     auto capture = sonde::Capture::make(options);
///     if (!capture) return complain(capture.error().text());   // no such interface, no privileges, bad expression ...
///     auto result = capture->run();                            // until a limit or capture->stop()
///     if (result.loss.lost() > 0) ...                          // never silent
struct CaptureOptions {
  std::vector<std::string> interfaces;  ///< names, or "any"; empty: the default route's, "any" if there is none
  std::string source = "auto";          ///< auto, ebpf, afpacket, file
  std::string read_file;                ///< pcap or pcapng to replay ("-": standard input); makes the source "file"
  FilterOptions filter;

  std::optional<std::string> xdp_mode;   ///< eBPF: auto, native, generic, off; unset: off (tc ingress)
  std::optional<std::string> transport;  ///< eBPF: ring, perf; unset: ring
  std::optional<std::uint32_t> rings;    ///< eBPF: ring buffers, a power of two up to 256; 0: one a CPU; unset: one
  std::optional<std::uint32_t> workers;  ///< AF_PACKET: sockets in a fanout group; unset: one
  std::optional<bool> promiscuous;       ///< AF_PACKET, named interfaces: also packets for other hosts; unset: yes
  std::optional<std::uint64_t> buffer_bytes;  ///< kernel to user space, all rings together; unset: 16 MiB

  /// eBPF: who owns each packet's socket. Unset: where received packets are taken at tc and an output shows it, and a
  /// notice where it is not to be had; true, or something in `owner`: an error then.
  std::optional<bool> owners;
  OwnerOptions owner;

  /// Bytes of a packet from its link header on; 0: its headers. Unset: what the output needs.
  std::optional<std::uint32_t> snaplen;

  std::string output = "text";  ///< text, json, hex, ascii, decode
  bool print = true;            ///< packets go to standard output; false: only to write_file or nowhere
  bool color = false;           ///< ANSI colours in text
  std::string write_file;       ///< pcapng or pcap ("-": standard output); empty: none
  std::string write_format = "pcapng";

  std::uint64_t count = 0;              ///< end after this many packets; 0: no limit
  std::chrono::nanoseconds duration{};  ///< end after this time; 0: no limit
};

struct CaptureSummary {
  LossReport loss;
  PacketTotals totals{};  ///< of the packets that were output
  std::chrono::nanoseconds duration{};
  std::optional<Error> error;  ///< what ended the capture before its time (full disk, damaged file)
};

/// One capture. Making it attaches to the kernel: hooks are links, so they go when it is destroyed or the process dies.
class SONDE_EXPORT Capture {
 public:
  /// Checks every word, opens the source and the outputs. ErrorKind tells a wrong word from a kernel that cannot.
  [[nodiscard]] static Result<Capture> make(const CaptureOptions& options);

  Capture(Capture&&) noexcept;
  Capture& operator=(Capture&&) noexcept;
  ~Capture();

  /// Which source was taken and why, which hooks, what the user should know. Grows while interfaces come.
  [[nodiscard]] std::vector<std::string> notices() const;

  /// Blocks until a limit, the end of the file or stop(); drains what was taken, detaches. Call once.
  [[nodiscard]] CaptureSummary run();

  /// Ends run(). Safe from any thread and from a signal handler.
  void stop() noexcept;

 private:
  struct State;
  explicit Capture(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// A choice of the command line with what it is, for help texts.
struct Choice {
  std::string name;
  std::string description;
};
[[nodiscard]] SONDE_EXPORT std::vector<Choice> capture_sources();
[[nodiscard]] SONDE_EXPORT std::vector<Choice> capture_outputs();
[[nodiscard]] SONDE_EXPORT std::vector<Choice> capture_file_formats();

}  // namespace sonde
