// SPDX-License-Identifier: Apache-2.0
// What a command gets from its surroundings, so that a test can give it others.
#pragma once
#include <ostream>
#include <string>
#include <vector>

#include "sonde/result.hpp"

namespace sonde::cli {

struct Environment {
  std::ostream& out;  ///< answers
  std::ostream& err;  ///< notices, errors, the ledger
  bool out_is_terminal = false;
};

/// Exit statuses; an Error's are those of its ErrorKind.
enum Status { well = 0, failed = 1, usage = 2, unsupported = 3 };

/// "sonde: message: cause (hint)" on env.err; gives the exit status.
[[nodiscard]] int report(const Environment& env, const Error& error);

}  // namespace sonde::cli
