// SPDX-License-Identifier: Apache-2.0
// Host names as TLS and this proxy's configuration have them.
#pragma once
#include <string>
#include <string_view>

namespace sonde::proxy {

/// Lower case, without a trailing dot. Empty: not a host name (RFC 1123: letters, digits, hyphens, underscores; labels
/// of 1 to 63 bytes, 253 in all). Neither is what resolvers take for an IPv4 address: a last label that is a number. A
/// wildcard's "*." is for the caller to take off. Names of other scripts come as xn-- labels (RFC 5890).
[[nodiscard]] std::string fold_server_name(std::string_view name);

}  // namespace sonde::proxy
