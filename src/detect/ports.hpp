// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

namespace sonde::detect {

/// Services of UDP that are used to reflect (CISA alert TA14-017A and its revisions, and Shadowserver's scans): their
/// answer is larger than the question, and goes to whoever the question says it is from.
[[nodiscard]] bool is_reflector_port(std::uint16_t port);
/// "DNS", "NTP" ...; "" for others.
[[nodiscard]] const char* reflector_name(std::uint16_t port);

}  // namespace sonde::detect
