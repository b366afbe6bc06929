// SPDX-License-Identifier: Apache-2.0
// What a DNS name looks like.
#pragma once
#include <string_view>

namespace sonde::detect {

struct SplitName {
  std::string_view data;    ///< what is in front of the registered domain
  std::string_view domain;  ///< "example.com", "example.co.uk"
};

/// Without a list of public suffixes: two labels, or three where the last has two letters and the one before is one of
/// the usual categories (co.uk, com.au).
[[nodiscard]] SplitName split_name(std::string_view name);

/// Looks like data and is none: reversed addresses (reverse DNS, DNS block lists), labels with "_" (DKIM, DMARC, ACME,
/// SRV), and one hash of a usual length (virus scanners).
[[nodiscard]] bool is_usual_data(const SplitName& name);

/// Shannon entropy of the characters but the dots, bits a character.
[[nodiscard]] double entropy_of(std::string_view text);

}  // namespace sonde::detect
