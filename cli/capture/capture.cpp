// SPDX-License-Identifier: Apache-2.0
#include "capture/capture.hpp"

#include <csignal>

#include "capture/options.hpp"
#include "capture/summary.hpp"

namespace sonde::cli {
namespace {

Capture* running = nullptr;  // for the signal handler

void stop_running(int) {
  if (running != nullptr) running->stop();
}

// The first Ctrl-C or SIGTERM drains what was taken; a second one ends the program at once.
class StopOnSignals {
 public:
  explicit StopOnSignals(Capture& capture) {
    running = &capture;
    struct sigaction action {};
    action.sa_handler = stop_running;
    action.sa_flags = SA_RESETHAND;
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(signal, &action, nullptr);
  }
  ~StopOnSignals() { running = nullptr; }
  StopOnSignals(const StopOnSignals&) = delete;
  StopOnSignals& operator=(const StopOnSignals&) = delete;
};

void print_notices(const Environment& env, const std::vector<std::string>& notices, std::size_t from) {
  for (std::size_t i = from; i < notices.size(); ++i) env.err << "sonde: " << notices[i] << '\n';
  env.err.flush();
}

}  // namespace

int capture(const Environment& env, std::vector<std::string> arguments) {
  const auto parsed = parse_capture(env, std::move(arguments));
  if (!parsed.options) return parsed.status;
  auto capture = Capture::make(*parsed.options);
  if (!capture) return report(env, capture.error());
  const StopOnSignals signals(*capture);
  const auto notices = capture->notices();
  print_notices(env, notices, 0);
  const auto summary = capture->run();
  print_notices(env, capture->notices(), notices.size());
  print_summary(env.err, summary);
  return summary.error ? report(env, *summary.error) : static_cast<int>(well);
}

}  // namespace sonde::cli
