// SPDX-License-Identifier: Apache-2.0
#include "export/events/connection_text.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <array>
#include <cstring>

namespace sonde::exporter {
namespace {

// In the order of ConnectionEnd.
constexpr std::array end_texts{"open",    "local FIN", "remote FIN",  "local RST", "remote RST", "timeout",
                               "refused", "no answer", "unreachable", "aborted",   "unknown end"};
static_assert(end_texts.size() == static_cast<std::size_t>(ConnectionEnd::unknown) + 1);

constexpr std::array byte_units{"kB", "MB", "GB", "TB"};

}  // namespace

const char* end_text(ConnectionEnd end) {
  const auto index = static_cast<std::size_t>(end);
  return index < end_texts.size() ? end_texts[index] : "unknown end";
}

const char* direction_arrow(ConnectionDirection direction) {
  if (direction == ConnectionDirection::unknown) return "--";
  return direction == ConnectionDirection::outbound ? "->" : "<-";
}

std::string error_text(int error) {
  const char* name = ::strerrorname_np(error);
  return name == nullptr ? fmt::format("error {}", error) : std::string(name);
}

std::string time_span_text(std::chrono::nanoseconds span) {
  const auto ms = std::chrono::duration<double, std::milli>(span).count();
  if (ms < 10) return fmt::format("{:.3f} ms", ms);
  if (ms < 1000) return fmt::format("{:.1f} ms", ms);
  if (ms < 60'000) return fmt::format("{:.3f} s", ms / 1000);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(span).count();
  if (seconds < 3600) return fmt::format("{} min {} s", seconds / 60, seconds % 60);
  return fmt::format("{} h {} min", seconds / 3600, seconds / 60 % 60);
}

std::string rtt_text(std::uint32_t microseconds) { return time_span_text(std::chrono::microseconds(microseconds)); }

std::string bytes_text(std::uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  auto value = static_cast<double>(bytes) / 1000;
  std::size_t unit = 0;
  for (; value >= 999.95 && unit + 1 < byte_units.size(); ++unit) value /= 1000;
  return fmt::format("{:.1f} {}", value, byte_units[unit]);
}

bool has_counters(const Connection& connection) {
  if (connection.event != ConnectionEvent::open) return true;
  const auto& socket = connection.socket;
  return socket.protocol == IPPROTO_TCP && connection.segments_sent + connection.segments_received != 0;
}

}  // namespace sonde::exporter
