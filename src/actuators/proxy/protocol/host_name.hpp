// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace sonde::proxy {

/// Lower case, without the dot at the end. Nothing if it is no host name: not 1 to 253 bytes of labels of 1 to 63
/// letters, digits, hyphens and underscores (RFC 1123 2.1; underscores are seen in practice), or an address (RFC 6066 3
/// does not allow them), which is what ends in a number.
[[nodiscard]] std::optional<std::string> fold_host_name(std::string_view name);

}  // namespace sonde::proxy
