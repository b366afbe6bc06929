// SPDX-License-Identifier: Apache-2.0
// Options of filters that several commands have.
#pragma once
#include <string>
#include <vector>

#include "option_group.hpp"
#include "sonde/filter.hpp"
#include "sonde/owner.hpp"

namespace sonde::cli {

/// --protocol, and addresses and ports of source, destination or either.
void add_endpoint_filters(OptionGroup& group, FilterOptions& filter);

/// --direction, and --min-size and --max-size, whose words are checked by take_packet_sizes().
void add_packet_filters(OptionGroup& group, FilterOptions& filter, std::string& min_size, std::string& max_size);
[[nodiscard]] Result<void> take_packet_sizes(const std::string& min_size, const std::string& max_size,
                                             FilterOptions& filter);

/// The words of the pcap-filter expression, which need no quotes.
void add_expression(CLI::App& app, std::vector<std::string>& words);

/// --pid, --process, --user, --container.
void add_owner_filters(OptionGroup& group, OwnerFilter& filter);

/// --hook and --owner-map-size, whose word is checked by take_owner_map_size().
void add_owner_tracking(OptionGroup& group, OwnerOptions& owner, std::string& map_size);
[[nodiscard]] Result<void> take_owner_map_size(const std::string& word, OwnerOptions& owner);

}  // namespace sonde::cli
