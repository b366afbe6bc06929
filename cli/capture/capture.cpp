// SPDX-License-Identifier: Apache-2.0
#include "capture/capture.hpp"

#include "capture/options.hpp"
#include "capture/summary.hpp"
#include "ledger.hpp"
#include "signals.hpp"

namespace sonde::cli {

int capture(const Environment& env, std::vector<std::string> arguments) {
  const auto parsed = parse_capture(env, std::move(arguments));
  if (!parsed.options) return parsed.status;
  auto capture = Capture::make(*parsed.options);
  if (!capture) return report(env, capture.error());
  const StopOnSignals signals(*capture);
  const auto notices = capture->notices();
  print_notices(env.err, notices);
  const auto summary = capture->run();
  print_notices(env.err, capture->notices(), notices.size());
  print_summary(env.err, summary);
  return summary.error ? report(env, *summary.error) : static_cast<int>(well);
}

}  // namespace sonde::cli
