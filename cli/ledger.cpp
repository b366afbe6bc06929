// SPDX-License-Identifier: Apache-2.0
#include "ledger.hpp"

#include <fmt/format.h>

namespace sonde::cli {

void print_ledger(std::ostream& out, const LossReport& loss) {
  const char* const line = "  {:<10} {:>14} {:>14} {:>14} {:>14}{}\n";
  out << fmt::format("\n  {:<10} {:>14} {:>14} {:>14} {:>14}\n", "stage", "taken", "given", "filtered", "lost");
  for (const auto& stage : loss.stages)
    out << fmt::format(fmt::runtime(line), stage.name, stage.taken, stage.given, stage.filtered, stage.lost,
                       stage.note.empty() ? "" : "  " + stage.note);
  const char* books = loss.balanced() ? "the books balance" : "THE BOOKS DO NOT BALANCE: this is a fault of sonde";
  out << fmt::format("{} lost; {}\n", loss.lost(), books);
}

void print_notices(std::ostream& out, const std::vector<std::string>& notices, std::size_t from) {
  for (std::size_t i = from; i < notices.size(); ++i) out << "sonde: " << notices[i] << '\n';
  out.flush();
}

}  // namespace sonde::cli
