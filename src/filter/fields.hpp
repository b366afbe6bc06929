// SPDX-License-Identifier: Apache-2.0
// Option words -> the field tests that bpf/match.h runs.
#pragma once
#include <sonde/abi/filter.h>

#include <string>
#include <string_view>
#include <vector>

#include "sonde/filter.hpp"
#include "sonde/result.hpp"

namespace sonde::filter {

/// Sets the tests of every word in `options` but the expression. `filter` must be zero.
[[nodiscard]] Result<void> compile_fields(const FilterOptions& options, sonde_filter& filter);

/// Appends the networks of each word (addresses and CIDRs, commas between them). `option` is named in errors.
/// An IPv4-mapped IPv6 address (::ffff:10.0.0.1) means the IPv4 address.
[[nodiscard]] Result<void> add_networks(std::string_view option, const std::vector<std::string>& words,
                                        sonde_network_list& list);

/// Sets the bits of each word's ports ("443", "8000-8080", commas between them).
[[nodiscard]] Result<void> add_ports(std::string_view option, const std::vector<std::string>& words,
                                     sonde_port_set& ports);

}  // namespace sonde::filter
