// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <ostream>
#include <string>
#include <vector>

#include "sonde/loss.hpp"

namespace sonde::cli {

/// The loss ledger as a table, and whether its books balance.
void print_ledger(std::ostream& out, const LossReport& loss);

/// "sonde: NOTICE" a line, from the given one on.
void print_notices(std::ostream& out, const std::vector<std::string>& notices, std::size_t from = 0);

}  // namespace sonde::cli
