// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/wire/left_behind.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "actuators/proxy/wire/attachment.hpp"
#include "actuators/proxy/wire/table_maps.hpp"
#include "base/fd.hpp"

namespace sonde::proxy {
namespace {

using namespace std::chrono_literals;

std::unexpected<Error> kept_by_another() {
  return fail(ErrorKind::failed, "a process keeps the connections on the wire: a proxy, or another drain",
              "ask that proxy by its control socket: --control PATH");
}

Result<void> keep(Table& table) { return table.keep() ? Result<void>() : kept_by_another(); }

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

Result<void> remove_unreadable_table() {
  const auto directory = table_directory();
  if (!directory) return std::unexpected(directory.error());
  const Fd folder(::open(directory->c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return fail_errno("cannot open " + *directory);
  if (::flock(folder.get(), LOCK_EX | LOCK_NB) != 0) return kept_by_another();
  if (auto removed = Attachment::remove(*directory); !removed) return removed;
  if (auto removed = unpin_table_maps(*directory); !removed) return removed;
  ::rmdir(directory->c_str());
  return {};
}

}  // namespace sonde::proxy
