// SPDX-License-Identifier: Apache-2.0
// The country of an address, by a file in MaxMind's format (.mmdb) that the user has: GeoLite2 and GeoIP2 (Country,
// City), DB-IP, IPinfo. No file comes with sonde, and none is fetched.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "sonde/result.hpp"

namespace sonde::enrich {

class CountryFile {
 public:
  /// `option` is the option that named the file, for the error. A file that is not there or no such database is
  /// ErrorKind::failed and is named.
  [[nodiscard]] static Result<CountryFile> open(const char* option, const std::string& path);

  /// ISO 3166-1 code ("DE") of an address as in sonde::Endpoint; empty: the file has none for it (private addresses,
  /// above all). Valid as long as the file is open. Costs about a microsecond.
  [[nodiscard]] std::string_view country(const std::array<std::uint8_t, 16>& address) const;

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

}  // namespace sonde::enrich
