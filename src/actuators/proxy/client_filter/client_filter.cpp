// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/client_filter/client_filter.hpp"

#include <utility>

#include "actuators/proxy/client_filter/hooks.hpp"
#include "actuators/proxy/client_filter/lists.hpp"

extern "C" {
extern const std::uint8_t sonde_client_filter_bpf_object[];
extern const std::uint8_t sonde_client_filter_bpf_object_end[];
}

namespace sonde::proxy {
namespace {

Result<kernel::Object> load() {
  auto object =
      kernel::Object::open({sonde_client_filter_bpf_object, sonde_client_filter_bpf_object_end}, "sonde_client_filter");
  if (!object) return object;
  if (auto allowed = object->allow_fragments("xdp_ip_filter"); !allowed) return std::unexpected(allowed.error());
  if (auto loaded = object->load(); !loaded) return std::unexpected(loaded.error());
  return object;
}

class Filter : public ClientFilter {
 public:
  Filter(kernel::Object object, FilterLists lists) : object_(std::move(object)), lists_(lists) {}

  Result<void> attach(const kernel::InterfaceInfo& interface) {
    auto link = attach_filter(object_, interface);
    if (!link) return std::unexpected(link.error());
    interfaces_.push_back({.name = interface.name, .how = link->hook()});
    links_.push_back(std::move(*link));
    return {};
  }

  Result<void> set(std::span<const Endpoint> listeners, std::span<const GuardNetwork> clients) override {
    const auto entries = filter_entries(listeners, clients);
    if (!entries) return std::unexpected(entries.error());
    return lists_.set(*entries);
  }

  Result<Counts> counts() const override {
    const auto map = object_.map_fd("ip_filter_counts");
    if (!map) return std::unexpected(map.error());
    const std::uint32_t zero = 0;
    const auto sum = kernel::sum_per_cpu<sonde_client_filter_counts>(*map, &zero);
    if (!sum) return std::unexpected(sum.error());
    return Counts{.passed = sum->passed, .dropped = sum->dropped, .others = sum->others};
  }

  const std::vector<Interface>& interfaces() const override { return interfaces_; }

 private:
  kernel::Object object_;
  FilterLists lists_;  ///< before the links: they go first
  std::vector<kernel::Link> links_;
  std::vector<Interface> interfaces_;
};

}  // namespace

Result<std::unique_ptr<ClientFilter>> ClientFilter::attach(const std::vector<std::string>& interfaces,
                                                           std::span<const Endpoint> listeners,
                                                           std::span<const GuardNetwork> clients) {
  const auto chosen = filter_interfaces(interfaces, listeners);
  if (!chosen) return std::unexpected(chosen.error());
  auto object = load();
  if (!object) return std::unexpected(object.error());
  const auto lists = FilterLists::of(*object);
  if (!lists) return std::unexpected(lists.error());
  auto filter = std::make_unique<Filter>(std::move(*object), *lists);
  if (auto set = filter->set(listeners, clients); !set) return std::unexpected(set.error());
  for (const auto& interface : *chosen)
    if (auto attached = filter->attach(interface); !attached) return std::unexpected(attached.error());
  return std::unique_ptr<ClientFilter>(std::move(filter));
}

}  // namespace sonde::proxy
