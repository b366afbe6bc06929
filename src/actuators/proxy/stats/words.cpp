// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/stats/words.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <chrono>
#include <ctime>

namespace sonde::proxy {

std::string time_text(std::int64_t wall_ns) {
  const std::time_t seconds = wall_ns / 1'000'000'000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, wall_ns % 1'000'000'000);
}

std::optional<Endpoint> parse_client_address(const std::string& text) {
  Endpoint endpoint;
  if (::inet_pton(AF_INET, text.c_str(), endpoint.address.data() + 12) == 1) {
    endpoint.address[10] = endpoint.address[11] = 0xff;
    return endpoint;
  }
  if (::inet_pton(AF_INET6, text.c_str(), endpoint.address.data()) == 1) return endpoint;
  return std::nullopt;
}

}  // namespace sonde::proxy
