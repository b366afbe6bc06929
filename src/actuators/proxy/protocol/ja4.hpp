// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

#include "decode/tls.hpp"

namespace sonde::proxy {

/// JA4 of a ClientHello over TCP: "t13d1516h2_8daaf6152771_e5627efa2ab1"
/// (github.com/FoxIO-LLC/ja4/blob/main/technical_details/JA4.md).
/// Empty if libcrypto has no SHA-256.
[[nodiscard]] std::string ja4(const decode::TlsClientHello& hello, const std::vector<std::string>& alpn);

/// The same with the lists themselves instead of their hashes ("JA4_r").
[[nodiscard]] std::string ja4_raw(const decode::TlsClientHello& hello, const std::vector<std::string>& alpn);

}  // namespace sonde::proxy
