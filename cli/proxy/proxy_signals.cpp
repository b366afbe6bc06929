// SPDX-License-Identifier: Apache-2.0
#include "proxy/proxy_signals.hpp"

#include <csignal>

#include "sonde/proxy.hpp"

namespace sonde::cli {
namespace {

// What a handler can reach.
Proxy* running = nullptr;              // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)
volatile std::sig_atomic_t stops = 0;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

void handle(int signal) {
  if (running == nullptr) return;
  if (signal == SIGHUP) {
    running->request_reload();
    return;
  }
  running->stop();
  stops = stops + 1;
  if (stops < 2) return;
  ::signal(SIGINT, SIG_DFL);
  ::signal(SIGTERM, SIG_DFL);
}

void set(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(signal, &action, nullptr);
}

}  // namespace

void ignore_broken_pipes() { ::signal(SIGPIPE, SIG_IGN); }

ProxySignals::ProxySignals(Proxy& proxy) {
  running = &proxy;
  set(handle);
}

ProxySignals::~ProxySignals() {
  set(SIG_DFL);
  running = nullptr;
}

}  // namespace sonde::cli
