// SPDX-License-Identifier: Apache-2.0
// What a user of libsonde writes first. Ends with 0 when an interface that does not exist is an error that names it,
// with or without root.
#include <sonde/monitor.hpp>

#include <cstdio>
#include <string>

int main(int argc, char** argv) {
  const std::string interface = argc > 1 ? argv[1] : "lo";
  auto monitor = sonde::NetworkMonitor::make({});
  if (!monitor) {
    std::fprintf(stderr, "%s\n", monitor.error().text().c_str());
    return monitor.error().kind == sonde::ErrorKind::unsupported ? 0 : 1;
  }
  auto attached = monitor->attach(interface);
  if (attached) {
    std::fprintf(stderr, "attached to %s\n", interface.c_str());
    return 1;
  }
  std::fprintf(stderr, "%s\n", attached.error().text().c_str());
  return attached.error().text().find(interface) == std::string::npos ? 1 : 0;
}
