// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/wire/stale_tables.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <vector>

#include "base/fd.hpp"
#include "kernel/object.hpp"
#include "kernel/pins.hpp"

namespace sonde::proxy {
namespace {

namespace fs = std::filesystem;

constexpr std::time_t fresh_seconds = 60;  // from Table::open() to Table::keep(): programs are loaded meanwhile

// What cannot be asked is taken to be in use.
bool is_gone(const std::string& link_pin) {
  const auto link = kernel::open_pin(link_pin);
  if (!link || !*link) return false;
  const auto facts = kernel::link_facts(link->get());
  return facts && facts->ifindex == 0;
}

bool holds_connection(const std::string& flows_pin) {
  const auto flows = kernel::open_pin(flows_pin);
  if (!flows) return true;
  if (!*flows) return false;
  std::array<std::uint8_t, 512> key{};
  const auto found = kernel::map_next_key(flows->get(), nullptr, key.data());
  return !found || *found;
}

bool is_stale(const std::vector<fs::path>& pins, const fs::path& folder) {
  bool has_links = false;
  for (const auto& pin : pins) {
    if (!pin.filename().string().starts_with("link-")) continue;
    has_links = true;
    if (!is_gone(pin)) return false;
  }
  return has_links || !holds_connection(folder / "FLOWS");
}

bool is_fresh(const Fd& folder) {
  struct stat status {};
  return ::fstat(folder.get(), &status) != 0 || std::time(nullptr) - status.st_mtime < fresh_seconds;
}

// The lock of a fresh one is not touched: its process may be about to keep it, and goes without the wire if it cannot.
void remove_if_stale(const fs::path& folder) {
  const Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || is_fresh(fd) || ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return;
  std::error_code error;
  std::vector<fs::path> pins;
  for (const auto& pin : fs::directory_iterator(folder, error)) pins.push_back(pin.path());
  if (error || !is_stale(pins, folder)) return;
  for (const auto& pin : pins)
    if (!kernel::remove_pin(pin)) return;
  ::rmdir(folder.c_str());
}

}  // namespace

void remove_stale_tables(const std::string& own) {
  std::error_code error;
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(fs::path(own).parent_path(), error))
    if (entry.path() != own && entry.path().filename().string().starts_with("wire-")) folders.push_back(entry.path());
  for (const auto& folder : folders) remove_if_stale(folder);
}

void touch_table(int folder_fd) { ::futimens(folder_fd, nullptr); }

}  // namespace sonde::proxy
