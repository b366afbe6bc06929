// SPDX-License-Identifier: Apache-2.0
#include "export/clock.hpp"

#include <array>
#include <cstring>
#include <ctime>

#include "export/format.hpp"

namespace sonde::exporter {

void TimeText::keep_second(std::int64_t second) {
  const std::time_t time = second;
  std::tm parts{};
  zone_ == Zone::local ? ::localtime_r(&time, &parts) : ::gmtime_r(&time, &parts);
  size_ = static_cast<std::uint32_t>(std::strftime(text_, sizeof(text_), format_, &parts));
  second_ = second;
}

char* TimeText::append(char* out, std::int64_t wall_ns) {
  constexpr std::int64_t second_ns = 1'000'000'000;
  std::int64_t second = wall_ns / second_ns;
  std::int64_t rest = wall_ns % second_ns;
  if (rest < 0) {  // before 1970
    rest += second_ns;
    --second;
  }
  if (second != second_) keep_second(second);
  std::memcpy(out, text_, sizeof(text_));
  out += size_;
  *out++ = '.';
  return append_nanoseconds(out, static_cast<std::uint32_t>(rest));
}

std::string TimeText::text(std::int64_t wall_ns) {
  std::array<char, max_size> text;
  return {text.data(), append(text.data(), wall_ns)};
}

}  // namespace sonde::exporter
