// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/bypass/listeners.hpp"

#include <algorithm>
#include <cstring>
#include <mutex>

#include "actuators/proxy/bypass/bypass.abi.h"
#include "kernel/object.hpp"

namespace sonde::proxy {
namespace {

using Clock = std::chrono::steady_clock;

// How late a new address of the host may be noticed.
constexpr Clock::duration refresh_interval = std::chrono::milliseconds{250};

constexpr kernel::Address any_ipv4{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr kernel::Address loopback_ipv4{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127};

sonde_bypass_listener element_key(const kernel::Address& address, std::uint16_t port) {
  sonde_bypass_listener key{};
  std::memcpy(key.address, address.data(), sizeof(key.address));
  key.port = port;
  return key;
}

}  // namespace

// The proxy's IPv6 listeners take no IPv4 (IPV6_V6ONLY).
std::set<BypassListeners::Key> BypassListeners::expand() const {
  std::set<Key> keys;
  for (const auto& listener : listeners_) {
    const bool ipv4 = listener.address == any_ipv4;
    if (!ipv4 && listener.address != kernel::Address{}) {
      keys.emplace(listener.address, listener.port);
      continue;
    }
    if (ipv4) keys.emplace(loopback_ipv4, listener.port);
    for (const auto& address : host_.all())
      if (Endpoint{address, 0}.is_ipv4() == ipv4) keys.emplace(address, listener.port);
  }
  return keys;
}

Result<void> BypassListeners::write() {
  const auto wanted = expand();
  for (const auto& listener : wanted) {
    const auto key = element_key(listener.first, listener.second);
    const std::uint32_t value = 1;
    if (written_.contains(listener)) continue;
    if (auto done = kernel::map_update(map_fd_, &key, &value); !done) return done;
    written_.insert(listener);
  }
  std::erase_if(written_, [&](const Key& listener) {
    const auto key = element_key(listener.first, listener.second);
    return !wanted.contains(listener) && kernel::map_delete(map_fd_, &key).has_value();
  });
  return {};
}

Result<void> BypassListeners::set(std::span<const Endpoint> listeners) {
  const std::unique_lock lock(mutex_);
  host_.refresh();
  listeners_.assign(listeners.begin(), listeners.end());
  return write();
}

void BypassListeners::refresh_if_old() {
  const auto now = Clock::now().time_since_epoch().count();
  auto last = refreshed_at_.load(std::memory_order_relaxed);
  if (now - last < refresh_interval.count() || !refreshed_at_.compare_exchange_strong(last, now)) return;
  const std::unique_lock lock(mutex_);
  if (host_.refresh()) (void)write();  // what cannot be written is not captured, so declined
}

bool BypassListeners::are_local(const kernel::Address& a, const kernel::Address& b) {
  refresh_if_old();
  const std::shared_lock lock(mutex_);
  return host_.contains(a) && host_.contains(b);
}

}  // namespace sonde::proxy
