// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

#include "harness/command.hpp"

namespace sonde::test {

struct CountryNetwork {
  std::string address;  ///< IPv4
  int length;
  std::string code;
};

/// A file in MaxMind's format (https://maxmind.github.io/MaxMind-DB/) with a country for each network, for tests.
class CountryFileOnDisk {
 public:
  explicit CountryFileOnDisk(const std::vector<CountryNetwork>& networks);
  [[nodiscard]] const std::string& path() const { return file_.path(); }

 private:
  TemporaryFile file_{".mmdb"};
};

}  // namespace sonde::test
