// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <optional>
#include <string>

#include "decode/bytes.hpp"

namespace sonde::decode {

/// A domain name in a message, and where the bytes after it start.
struct DnsName {
  std::string text;
  std::size_t next = 0;
};

/// Reads the name at `offset`. A compression pointer must lead to an earlier place than the labels it ends (RFC 1035
/// 4.1.4 "a prior occurrence"), so a loop cannot be; a name over 255 bytes is refused (RFC 1035 3.1).
[[nodiscard]] std::optional<DnsName> read_dns_name(Bytes message, std::size_t offset);

/// Characters of a label or a quoted string in presentation format, as dig escapes them.
void append_dns_text(std::string& out, Bytes characters, bool quoted);

}  // namespace sonde::decode
