// SPDX-License-Identifier: Apache-2.0
#include "kernel/object.hpp"
#include "sonde/monitor.hpp"

namespace sonde {
namespace {

Result<void> check_size(const char* what, std::size_t given, std::size_t expected) {
  if (given == expected) return {};
  return fail(ErrorKind::usage,
              std::string(what) + " of " + std::to_string(given) + " bytes: expected " + std::to_string(expected));
}

}  // namespace

Result<std::vector<std::uint8_t>> MonitorMap::lookup(std::span<const std::uint8_t> key) const {
  auto checked = check_size("key", key.size(), key_size_);
  if (!checked) return std::unexpected(checked.error());
  std::vector<std::uint8_t> value(value_size_);
  auto found = kernel::map_lookup(fd_, key.data(), value.data());
  if (!found) return std::unexpected(found.error());
  if (!*found) value.clear();
  return value;
}

Result<void> MonitorMap::update(std::span<const std::uint8_t> key, std::span<const std::uint8_t> value) {
  auto checked = check_size("key", key.size(), key_size_);
  if (checked) checked = check_size("value", value.size(), value_size_);
  return checked ? kernel::map_update(fd_, key.data(), value.data()) : checked;
}

Result<void> MonitorMap::erase(std::span<const std::uint8_t> key) {
  auto checked = check_size("key", key.size(), key_size_);
  return checked ? kernel::map_delete(fd_, key.data()) : checked;
}

Result<std::vector<std::vector<std::uint8_t>>> MonitorMap::keys() const {
  std::vector<std::vector<std::uint8_t>> keys;
  const void* previous = nullptr;
  for (;;) {
    std::vector<std::uint8_t> next(key_size_);
    auto found = kernel::map_next_key(fd_, previous, next.data());
    if (!found) return std::unexpected(found.error());
    if (!*found) return keys;
    keys.push_back(std::move(next));
    previous = keys.back().data();
  }
}

}  // namespace sonde
