// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <limits>
#include <string>

namespace sonde::exporter {

/// Wall time as text. The part down to the second is kept: breaking a time down costs more than the rest of a line.
class TimeText {
 public:
  static constexpr int max_size = 48;
  enum class Zone { local, utc };

  /// `format` is strftime(3)'s for everything down to the second; ".nnnnnnnnn" follows.
  TimeText(const char* format, Zone zone) : format_(format), zone_(zone) {}

  /// Writes at most max_size characters and returns their end.
  char* append(char* out, std::int64_t wall_ns);
  [[nodiscard]] std::string text(std::int64_t wall_ns);

 private:
  void keep_second(std::int64_t second);

  const char* format_;
  Zone zone_;
  std::int64_t second_ = std::numeric_limits<std::int64_t>::min();
  char text_[32] = {};
  std::uint32_t size_ = 0;
};

}  // namespace sonde::exporter
