// SPDX-License-Identifier: Apache-2.0
// Prints each TCP retransmission of the host until Ctrl-C: why, whose, to whom, and where the segment was lost.
//
//     ./retransmissions
//
// Builds against an installed libsonde: find_package(sonde) and target_link_libraries(retransmissions sonde::sonde).
#include <csignal>
#include <cstdio>

#include "sonde/events.hpp"

namespace {

sonde::Retransmissions* running = nullptr;

void print(const sonde::Retransmission& event) {
  const auto& owner = event.owner.owner;
  std::printf("%s %s[%u] to %s", sonde::retransmission_kind_name(event.kind),
              owner.known() ? owner.comm.c_str() : "unknown", owner.pid, event.socket.remote.text().c_str());
  if (event.local_drop)
    std::printf(", lost here: %s %s", event.local_drop->reason.c_str(), event.local_drop->interface.c_str());
  std::printf("\n");
  std::fflush(stdout);
}

int fail(const sonde::Error& error) {
  std::fprintf(stderr, "retransmissions: %s\n", error.text().c_str());
  return static_cast<int>(error.kind);
}

}  // namespace

int main() {
  sonde::EventOptions options;
  options.output.clear();  // print() is the only output
  auto watch = sonde::Retransmissions::make(options, print);
  if (!watch) return fail(watch.error());
  running = &*watch;
  std::signal(SIGINT, [](int) { running->stop(); });
  std::signal(SIGTERM, [](int) { running->stop(); });
  for (const auto& notice : watch->notices()) std::fprintf(stderr, "%s\n", notice.c_str());
  const auto summary = watch->run();
  if (summary.error) return fail(*summary.error);
  std::printf("%lu events, %lu lost on the way\n", summary.events, summary.loss.lost());
}
