// SPDX-License-Identifier: Apache-2.0
// Prints what an interface receives and sends, every five seconds:
//
//     NETWORK_INTERFACE=eth0 ./monitor
//
// Builds against an installed libsonde: find_package(sonde) and target_link_libraries(monitor sonde::sonde).
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "sonde/monitor.hpp"

namespace {

std::atomic<bool> stop{false};

void print(const sonde::PacketStats& stats) {
  const auto received = stats.sum(SONDE_DIRECTION_IN);
  const auto sent = stats.sum(SONDE_DIRECTION_OUT);
  std::printf("RX %lu packets %lu bytes   TX %lu packets %lu bytes\n", received.packets, received.bytes, sent.packets,
              sent.bytes);
  const auto totals = stats.totals();
  for (std::size_t i = 0; i < sonde::protocol_class_count; ++i) {
    const auto in = totals[SONDE_DIRECTION_IN][i].packets;
    const auto out = totals[SONDE_DIRECTION_OUT][i].packets;
    if (in + out > 0)
      std::printf("   %-9s RX %lu TX %lu\n", sonde::protocol_class_name(static_cast<sonde::ProtocolClass>(i)), in, out);
  }
  std::fflush(stdout);
}

int fail(const sonde::Error& error) {
  std::fprintf(stderr, "monitor: %s\n", error.text().c_str());
  return static_cast<int>(error.kind);
}

// Five seconds, or less when it is time to stop.
void wait_for_the_next_round() {
  for (int tenth = 0; tenth < 50 && !stop; ++tenth) std::this_thread::sleep_for(std::chrono::milliseconds(100));
}

}  // namespace

int main() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): there is no other thread yet
  const char* interface = std::getenv("NETWORK_INTERFACE");
  if (interface == nullptr) {
    std::fprintf(stderr, "monitor: expected the environment variable NETWORK_INTERFACE\n");
    return 2;
  }
  auto monitor = sonde::NetworkMonitor::make();
  if (!monitor) return fail(monitor.error());
  if (auto attached = monitor->attach(interface); !attached) return fail(attached.error());
  std::signal(SIGINT, [](int) { stop = true; });
  std::signal(SIGTERM, [](int) { stop = true; });
  while (!stop) {
    wait_for_the_next_round();
    const auto stats = monitor->packet_stats();
    if (!stats) return fail(stats.error());
    print(*stats);
  }
  monitor->close();
  std::printf("%lu packets lost on the way\n", monitor->loss().lost());
}
