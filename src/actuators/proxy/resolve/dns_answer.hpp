// SPDX-License-Identifier: Apache-2.0
// What the answer to a question for addresses says (RFC 1035, RFC 2308).
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "actuators/proxy/resolve/resolver.hpp"

namespace sonde::proxy {

constexpr std::uint16_t dns_type_a = 1;
constexpr std::uint16_t dns_type_aaaa = 28;

struct DnsAnswer {
  enum class Kind : std::uint8_t {
    addresses,
    no_address,    ///< the name has none of this type
    no_such_name,  ///< and none of any other
    failure,
  };
  Kind kind = Kind::failure;
  Addresses addresses;
  /// Seconds that it may be kept: the least of the chain's records; of a negative answer the SOA's (RFC 2308 5).
  /// None: a negative answer that does not say.
  std::optional<std::uint32_t> ttl;
  std::string failure;  ///< "SERVFAIL"
};

/// `name`: lower case. The chain of CNAMEs from it is followed, in whatever order its records stand.
[[nodiscard]] DnsAnswer read_dns_answer(std::span<const std::uint8_t> message, const std::string& name,
                                        std::uint16_t type);

}  // namespace sonde::proxy
