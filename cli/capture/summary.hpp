// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <ostream>

#include "sonde/capture.hpp"

namespace sonde::cli {

/// Totals by protocol and direction, then the loss ledger, for people. Always all of it, zeros included.
void print_summary(std::ostream& out, const CaptureSummary& summary);

}  // namespace sonde::cli
