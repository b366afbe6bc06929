// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>

namespace sonde::proxy {

/// "FILE:LINE: wire.connections", for errors about a file that could be read; "FILE: ..." where the key is not there.
[[nodiscard]] std::string place_of_key(const std::string& path, std::string_view key);

}  // namespace sonde::proxy
