// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/wire/left_behind.hpp"

#include <chrono>
#include <thread>

#include "actuators/proxy/wire/attachment.hpp"

namespace sonde::proxy {
namespace {

using namespace std::chrono_literals;

Result<void> keep(Table& table) {
  if (table.keep()) return {};
  return fail(ErrorKind::failed, "a process keeps the connections on the wire: a proxy, or another drain",
              "ask that proxy by its control socket: --control PATH");
}

// The programs first: without maps nobody finds them again. Not if a proxy has come since the keeper ended.
Result<void> remove(Table& table) {
  if (!table.keep()) return {};
  if (auto removed = Attachment::remove(table.directory()); !removed) return removed;
  return table.unpin();
}

}  // namespace

Result<std::uint32_t> drain_left_behind(Table& table, const WireLimits& limits, WireObserver& observer,
                                        const std::function<bool(std::uint32_t left)>& goes_on) {
  if (auto kept = keep(table); !kept) return std::unexpected(kept.error());
  auto keeper = WireKeeper::start(table, limits, observer);
  if (!keeper) return std::unexpected(keeper.error());
  // Also those that are over and linger: what comes late must not meet the stack, which would reset its sender.
  std::uint32_t left = table.count();
  while (goes_on(left) && left > 0) {
    std::this_thread::sleep_for(100ms);
    left = table.count();
  }
  keeper->reset();
  if (left > 0) return left;
  if (auto removed = remove(table); !removed) return std::unexpected(removed.error());
  return left;
}

Result<std::uint32_t> abort_left_behind(Table& table, WireObserver& observer) {
  if (auto kept = keep(table); !kept) return std::unexpected(kept.error());
  auto keeper = WireKeeper::start(table, {}, observer);
  if (!keeper) return std::unexpected(keeper.error());
  const auto count = (*keeper)->abort_all();
  keeper->reset();
  if (auto removed = remove(table); !removed) return std::unexpected(removed.error());
  return count;
}

}  // namespace sonde::proxy
