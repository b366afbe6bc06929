// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sonde/export.hpp"
#include "sonde/loss.hpp"
#include "sonde/packet.hpp"
#include "sonde/result.hpp"

namespace sonde {

inline constexpr std::size_t packet_size_classes = 7;
/// "64", "127" ... "1518", "more": the largest size of each class in bytes, with the frame check sequence (RFC 2819).
[[nodiscard]] SONDE_EXPORT const char* packet_size_class_name(std::size_t index);

/// One direction of an interface, since the start.
struct SONDE_EXPORT DirectionStats {
  std::array<PacketCount, protocol_class_count> protocols{};  ///< wire packets; bytes as packet_size of their events
  std::array<std::uint64_t, packet_size_classes> sizes{};     ///< wire packets
  std::uint64_t frames = 0;  ///< as the kernel handles them: one that offload keeps together is one
  std::uint64_t frame_bytes = 0;
  PacketCount wire;    ///< its segments, each with its headers
  PacketCount device;  ///< what the interface itself counts
  std::uint64_t device_dropped = 0;
  std::uint64_t device_missed = 0;  ///< received and never handed to the kernel
  bool measured = true;             ///< false: no hook looks at this direction (`lo` is counted once, as received)

  /// Does the interface count frames, or wire packets? Told by the mean size, which does not depend on what was lost.
  [[nodiscard]] bool device_counts_frames() const;
  /// Ours in the interface's unit, divided by its own; empty: nothing to compare. More than 1 where packets are dropped
  /// between our hook and the device.
  [[nodiscard]] std::optional<double> coverage() const;
};

struct InterfaceStats {
  std::uint32_t ifindex = 0;
  std::string name;
  bool gone = false;                           ///< its counters stand still
  std::array<DirectionStats, 2> directions{};  ///< by SONDE_DIRECTION_IN, _OUT
};

struct TrafficStats {
  std::int64_t wall_ns = 0;
  std::chrono::nanoseconds duration{};  ///< since the start; of a difference: between the two
  std::vector<InterfaceStats> interfaces;
};
/// What came between two samples.
[[nodiscard]] SONDE_EXPORT TrafficStats difference(const TrafficStats& now, const TrafficStats& before);

struct StatsOptions {
  std::vector<std::string> interfaces;  ///< names; "any": all, also those that appear later. Empty: any
  std::string xdp_mode = "off";         ///< off (tc ingress), auto, native, generic
};

/// Counts the packets of interfaces in the kernel, beside what the interfaces count themselves. Detaches when it is
/// destroyed, or the process dies.
class SONDE_EXPORT StatsMonitor {
 public:
  [[nodiscard]] static Result<StatsMonitor> make(const StatsOptions& options);
  StatsMonitor(StatsMonitor&&) noexcept;
  StatsMonitor& operator=(StatsMonitor&&) noexcept;
  ~StatsMonitor();

  /// Ours are read before the interfaces' own, some microseconds apart: under load they differ by the packets between.
  [[nodiscard]] Result<TrafficStats> sample();
  /// "hook": packets that were taken, counted, and those that found the table of totals full.
  [[nodiscard]] LossReport loss() const;
  [[nodiscard]] std::vector<std::string> notices() const;

 private:
  struct State;
  explicit StatsMonitor(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sonde
