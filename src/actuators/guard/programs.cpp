// SPDX-License-Identifier: Apache-2.0
#include "actuators/guard/programs.hpp"

#include <array>
#include <cstdint>
#include <span>

#include "kernel/pins.hpp"

extern "C" {
extern const std::uint8_t sonde_guard_bpf_object[];
extern const std::uint8_t sonde_guard_bpf_object_end[];
}

namespace sonde::guard {
namespace {

struct PinnedMap {
  const char* map;
  const char* pin;
};

// The rules come first: who finds them pinned takes the guard for set up.
constexpr std::array maps{PinnedMap{"guard_rules", "rules"}, PinnedMap{"guard_totals", "totals"},
                          PinnedMap{"guard_buckets", "buckets"}, PinnedMap{"guard_control", "control"},
                          PinnedMap{"guard_log", "log"}};

// Who was killed while it pinned left some of them: the others are made anew, and nothing is lost.
Result<void> reuse_pinned(kernel::Object& object, const std::string& directory, std::array<bool, maps.size()>& pinned) {
  for (std::size_t i = 0; i < maps.size(); ++i) {
    const auto map = kernel::open_pin(directory + "/" + maps[i].pin);
    if (!map) return std::unexpected(map.error());
    pinned[i] = static_cast<bool>(*map);
    if (!pinned[i]) continue;
    if (auto reused = object.reuse_map(maps[i].map, map->get()); !reused) {
      auto error = reused.error();
      error.hint = "of another version of sonde? `sonde guard detach` removes it with its rules";
      return std::unexpected(std::move(error));
    }
  }
  return {};
}

Result<void> pin_the_others(const kernel::Object& object, const std::string& directory,
                            const std::array<bool, maps.size()>& pinned) {
  for (std::size_t i = 0; i < maps.size(); ++i) {
    if (pinned[i]) continue;
    const auto map = object.map_fd(maps[i].map);
    if (!map) return std::unexpected(map.error());
    if (auto done = kernel::pin(*map, directory + "/" + maps[i].pin); !done) return done;
  }
  return {};
}

}  // namespace

Result<kernel::Object> load_programs(const std::string& directory) {
  const auto size = static_cast<std::size_t>(sonde_guard_bpf_object_end - sonde_guard_bpf_object);
  auto object = kernel::Object::open({sonde_guard_bpf_object, size}, "sonde_guard");
  if (!object) return object;
  if (auto allowed = object->allow_fragments("guard_xdp"); !allowed) return std::unexpected(allowed.error());
  std::array<bool, maps.size()> pinned{};
  if (auto reused = reuse_pinned(*object, directory, pinned); !reused) return std::unexpected(reused.error());
  if (auto loaded = object->load(); !loaded) return std::unexpected(loaded.error());
  if (auto done = pin_the_others(*object, directory, pinned); !done) return std::unexpected(done.error());
  return object;
}

}  // namespace sonde::guard
