// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "sonde/export.hpp"
#include "sonde/filter.hpp"
#include "sonde/flow.hpp"
#include "sonde/loss.hpp"
#include "sonde/packet.hpp"
#include "sonde/result.hpp"
#include "sonde/security.hpp"

namespace sonde {

struct MonitorOptions {
  FilterOptions filter;          ///< what is counted and reported; empty: every packet
  std::string xdp_mode = "off";  ///< off (tc ingress), auto, native, generic: as in `sonde capture`
  std::uint32_t snaplen = 0;     ///< bytes of a packet for the handler; 0: none, only its headers' fields
  std::uint64_t buffer_bytes = 16 * 1024 * 1024;  ///< kernel to handler
  bool flows = false;                             ///< count packets in flows too, with programs of their own
  std::uint32_t max_flows = 65536;                ///< of each interface, in the kernel and for flow_stats()
};

/// Packets and bytes that the kernel programs counted, since they were attached. A packet that offload keeps together
/// counts as its wire packets; bytes are as in sonde_packet_event::packet_size.
struct PacketStats {
  std::map<std::string, PacketTotals> interfaces;  ///< by interface name

  /// Sum over interfaces and protocols of one direction (SONDE_DIRECTION_IN: received, _OUT: sent).
  [[nodiscard]] SONDE_EXPORT PacketCount sum(int direction) const;
  /// Sum over interfaces.
  [[nodiscard]] SONDE_EXPORT PacketTotals totals() const;
};

using PacketHandler = std::function<void(const Packet&)>;
using SecurityHandler = std::function<void(const SecurityEvent&)>;
using EventHandler = std::function<void(std::span<const std::uint8_t>)>;

/// A BPF map of the monitor's object, by bytes. Values of per-CPU maps hold one slot a possible CPU, each rounded up to
/// 8 bytes. Valid as long as its monitor is open. Thread-safe as far as the kernel's map is.
class SONDE_EXPORT MonitorMap {
 public:
  [[nodiscard]] std::size_t key_size() const { return key_size_; }
  [[nodiscard]] std::size_t value_size() const { return value_size_; }

  /// The value of the key; empty when there is none. ErrorKind::usage when the key has the wrong size.
  [[nodiscard]] Result<std::vector<std::uint8_t>> lookup(std::span<const std::uint8_t> key) const;
  Result<void> update(std::span<const std::uint8_t> key, std::span<const std::uint8_t> value);
  Result<void> erase(std::span<const std::uint8_t> key);
  /// All keys. Entries that change meanwhile may be missed or listed twice, as with any walk of a BPF map.
  [[nodiscard]] Result<std::vector<std::vector<std::uint8_t>>> keys() const;

 private:
  friend class NetworkMonitor;
  int fd_ = -1;
  std::size_t key_size_ = 0;
  std::size_t value_size_ = 0;
};

/// Counts the packets of interfaces in the kernel, and hands each one over when asked to.
///
///     auto monitor = sonde::NetworkMonitor::make();
///     if (!monitor) return complain(monitor.error().text());       // not root, no BPF ...
///     if (auto attached = monitor->attach("eth0"); !attached) ...   // no such interface: the message lists them
///     auto stats = monitor->packet_stats();                         // costs the kernel a map update a packet
///     auto started = monitor->start([](const sonde::Packet& packet) { ... });   // from here on events too
///     monitor->close();                                             // or the destructor: nothing stays in the kernel
///
/// One thread at a time may call its members; the handlers run in the monitor's own thread and must not call close().
class SONDE_EXPORT NetworkMonitor {
 public:
  /// Loads the programs; nothing is attached yet.
  [[nodiscard]] static Result<NetworkMonitor> make(const MonitorOptions& options = {});

  /// From a BPF object file. A build of sonde's own packets programs gets the defaults of MonitorOptions and works as
  /// make(); of any other one, attach() takes its XDP programs for received packets and its tc programs for sent ones
  /// if their name or section says "egress" or "out", else for received ones. packet_stats() needs a map laid out as
  /// sonde_totals then, and events go to on_event().
  [[nodiscard]] static Result<NetworkMonitor> from_object_file(const std::string& path);

  NetworkMonitor(NetworkMonitor&&) noexcept;
  NetworkMonitor& operator=(NetworkMonitor&&) noexcept;
  ~NetworkMonitor();

  /// Attaches to the interface ("any": all there are now) by BPF links, which go when the process dies. Counting
  /// begins.
  Result<void> attach(const std::string& interface);

  /// Records of a ring buffer map of the object go to the handler; call before start(). The bytes are valid in the
  /// call.
  Result<void> on_event(const std::string& ring_map, EventHandler handler);

  /// Thresholds of the detectors, by key as in security_options(), or all of them; call before start().
  /// ErrorKind::usage names the key or the value, and what was expected.
  Result<void> set_security_config(std::string_view key, std::string_view value);
  Result<void> set_security_config(SecurityConfig config);

  /// Scans, floods, spoofing and the like on the attached interfaces go to the handler, which a thread of its own
  /// calls; call before start(), which attaches programs that count flows to the same interfaces. What goes on when the
  /// monitor is closed ends then.
  Result<void> on_security_event(SecurityHandler handler);

  /// As loss(), of the packets whose flows were looked at for security events. Empty before close().
  [[nodiscard]] LossReport security_loss() const;

  /// Starts the thread that hands over packets and custom events. Without a packet handler the kernel emits no packets.
  Result<void> start(PacketHandler handler = {});

  /// A map of the object, to read and change while the programs run.
  [[nodiscard]] Result<MonitorMap> map(const std::string& name) const;

  [[nodiscard]] Result<PacketStats> packet_stats() const;

  /// Flows that go on, and those that ended since the call before (Flow::end tells), of all attached interfaces; a
  /// packet that passes two of them is in a flow of each. Ended flows are kept for this call, at most max_flows an
  /// interface, then flow_loss() counts their packets. ErrorKind::usage without MonitorOptions::flows.
  [[nodiscard]] Result<std::vector<Flow>> flow_stats();

  /// As loss(), of the packets in flows. Exact after close().
  [[nodiscard]] LossReport flow_loss() const;

  /// Exact after close(); a snapshot before. Empty for an object that keeps no sonde_counts.
  [[nodiscard]] LossReport loss() const;

  /// Which hooks were taken, and what the user should know.
  [[nodiscard]] std::vector<std::string> notices() const;

  /// Detaches, hands over what was taken before, ends the thread. packet_stats() and loss() can still be asked for.
  void close();

 private:
  struct State;
  explicit NetworkMonitor(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sonde
