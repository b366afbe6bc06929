// SPDX-License-Identifier: Apache-2.0
#include "enrich/process/container.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <ranges>

namespace sonde::enrich {
namespace {

// How a runtime names the cgroup of a container: prefix, id, suffix.
struct Pattern {
  const char* runtime;
  std::string_view prefix;
  std::string_view suffix;
  enum class Id { hex64, any } id;
  std::string_view ancestor;  ///< a component above must begin with this; empty: any
};

// The first that fits wins. With the cgroupfs driver the component is the id alone and the parent tells the runtime.
constexpr std::array patterns{
    Pattern{"docker", "docker-", ".scope", Pattern::Id::hex64, ""},
    Pattern{"containerd", "cri-containerd-", ".scope", Pattern::Id::hex64, ""},
    Pattern{"containerd", "nerdctl-", ".scope", Pattern::Id::hex64, ""},
    Pattern{"cri-o", "crio-", ".scope", Pattern::Id::hex64, ""},
    Pattern{"cri-o", "crio-", "", Pattern::Id::hex64, ""},
    Pattern{"podman", "libpod-payload-", "", Pattern::Id::hex64, ""},
    Pattern{"podman", "libpod-", ".scope", Pattern::Id::hex64, ""},
    Pattern{"podman", "libpod-", "", Pattern::Id::hex64, ""},
    Pattern{"runc", "runc-", ".scope", Pattern::Id::any, ""},
    Pattern{"lxc", "lxc.payload.", "", Pattern::Id::any, ""},
    Pattern{"docker", "", "", Pattern::Id::hex64, "docker"},
    Pattern{"containerd", "", "", Pattern::Id::hex64, "kubepods"},
    Pattern{"containerd", "", "", Pattern::Id::hex64, "k8s.io"},
    Pattern{"runc", "", "", Pattern::Id::hex64, ""},
};

constexpr std::array<std::string_view, 2> unit_suffixes{".service", ".scope"};

bool is_hex(char character) { return (character >= '0' && character <= '9') || (character >= 'a' && character <= 'f'); }

bool is_id(std::string_view text, Pattern::Id kind) {
  if (kind == Pattern::Id::any) return !text.empty();
  return text.size() == 64 && std::ranges::all_of(text, is_hex);
}

std::vector<std::string_view> components_of(std::string_view path) {
  std::vector<std::string_view> components;
  while (!path.empty()) {
    const auto end = std::min(path.find('/'), path.size());
    if (end != 0) components.push_back(path.substr(0, end));
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return components;
}

// The id in `name` if it has the pattern's form, else empty.
std::string_view id_in(std::string_view name, const Pattern& pattern) {
  if (name.size() <= pattern.prefix.size() + pattern.suffix.size()) return {};
  if (!name.starts_with(pattern.prefix) || !name.ends_with(pattern.suffix)) return {};
  name.remove_prefix(pattern.prefix.size());
  name.remove_suffix(pattern.suffix.size());
  return is_id(name, pattern.id) ? name : std::string_view{};
}

using Components = std::vector<std::string_view>;

bool has_ancestor(Components::const_iterator first, Components::const_iterator last, std::string_view prefix) {
  return prefix.empty() || std::any_of(first, last, [&](std::string_view name) { return name.starts_with(prefix); });
}

// "kubepods-burstable-pod1b2c_..." or "pod1b2c-...": the UID with dashes, as the API server writes it. A static pod has
// 32 digits and no dashes.
std::string pod_uid(std::string_view name) {
  if (name.ends_with(".slice")) name.remove_suffix(6);
  const auto at = name.rfind("pod");
  if (at == std::string_view::npos || (at != 0 && name[at - 1] != '-')) return {};
  std::string uid(name.substr(at + 3));
  std::ranges::replace(uid, '_', '-');
  const auto digits = std::ranges::count_if(uid, is_hex);
  const auto dashes = std::ranges::count(uid, '-');
  return digits == 32 && static_cast<std::size_t>(digits + dashes) == uid.size() ? uid : std::string{};
}

std::string pod_above(Components::const_iterator first, Components::const_iterator last) {
  while (last != first) {
    auto uid = pod_uid(*--last);
    if (!uid.empty()) return uid;
  }
  return {};
}

std::optional<Container> find_container(const Components& components) {
  for (auto at = components.end(); at != components.begin();) {
    --at;
    for (const Pattern& pattern : patterns) {
      const auto id = id_in(*at, pattern);
      if (id.empty() || !has_ancestor(components.begin(), at, pattern.ancestor)) continue;
      return Container{pattern.runtime, std::string(id), pod_above(components.begin(), at)};
    }
  }
  return std::nullopt;
}

std::optional<Container> find_unit(const Components& components) {
  for (const auto name : std::views::reverse(components)) {
    const auto fits = [&](std::string_view suffix) { return name.size() > suffix.size() && name.ends_with(suffix); };
    if (std::ranges::any_of(unit_suffixes, fits)) return Container{"systemd", std::string(name), {}};
  }
  return std::nullopt;
}

std::optional<Container> known_to_runc(const std::string& path, const std::string& states) {
  const auto components = components_of(path);
  if (states.empty() || components.empty()) return std::nullopt;
  const std::string id(components.back());
  if (::access((states + "/" + id + "/state.json").c_str(), F_OK) != 0) return std::nullopt;
  return Container{"runc", id, {}};
}

bool is_root(const std::string& path) { return path.empty() || path == "/"; }

// Order of preference of a hierarchy by its controllers, the second field of a line of /proc/PID/cgroup.
int rank_of(std::string_view controllers) {
  if (controllers.empty()) return 0;
  return controllers == "name=systemd" ? 1 : 2;
}

}  // namespace

std::optional<Container> container_of(std::string_view cgroup_path) {
  const auto components = components_of(cgroup_path);
  auto container = find_container(components);
  return container ? container : find_unit(components);
}

Placement place(const std::vector<std::string>& paths, const std::string& runc_states) {
  Placement placement;
  for (const auto& path : paths) {
    auto found = container_of(path);
    const bool is_unit = found && found->runtime == "systemd";
    if (found && !is_unit) return {path, std::move(found)};
    if (auto container = known_to_runc(path, runc_states)) return {path, std::move(container)};
    if (found && !placement.container) placement = {path, std::move(found)};
    if (!placement.container && is_root(placement.cgroup) && !path.empty()) placement.cgroup = path;
  }
  return placement;
}

std::vector<std::string> cgroup_paths(std::string_view proc_cgroup) {
  std::array<std::vector<std::string>, 3> ranks;
  while (!proc_cgroup.empty()) {
    const auto end = std::min(proc_cgroup.find('\n'), proc_cgroup.size());
    const auto line = proc_cgroup.substr(0, end);
    proc_cgroup.remove_prefix(std::min(end + 1, proc_cgroup.size()));
    const auto first = line.find(':');  // hierarchy-ID:controllers:path (cgroups(7)); a path may have colons
    const auto second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    ranks.at(rank_of(line.substr(first + 1, second - first - 1))).emplace_back(line.substr(second + 1));
  }
  std::vector<std::string> paths;
  for (auto& rank : ranks) paths.insert(paths.end(), rank.begin(), rank.end());
  return paths;
}

}  // namespace sonde::enrich
