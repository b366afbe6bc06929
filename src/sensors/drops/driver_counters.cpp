// SPDX-License-Identifier: Apache-2.0
#include "sensors/drops/driver_counters.hpp"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

namespace sonde::drops {
namespace {

bool ask(int socket, const std::string& interface, void* data) {
  ifreq request{};
  interface.copy(request.ifr_name, sizeof(request.ifr_name) - 1);
  request.ifr_data = static_cast<char*>(data);
  return ::ioctl(socket, SIOCETHTOOL, &request) == 0;
}

// Memory of one of the kernel's structs with an array behind it.
template <class Head>
std::vector<std::uint64_t> room_for(std::size_t count, std::size_t each) {
  return std::vector<std::uint64_t>((sizeof(Head) + count * each + 7) / 8);
}

std::uint32_t statistics_count(int socket, const std::string& interface) {
  auto memory = room_for<ethtool_sset_info>(1, sizeof(std::uint32_t));
  auto* query = reinterpret_cast<ethtool_sset_info*>(memory.data());
  query->cmd = ETHTOOL_GSSET_INFO;
  query->sset_mask = 1ULL << ETH_SS_STATS;
  return ask(socket, interface, query) && query->sset_mask != 0 ? query->data[0] : 0;
}

}  // namespace

bool counts_loss(std::string_view name) {
  static constexpr std::array<std::string_view, 7> words = {"drop",  "discard", "missed",    "no_buf",
                                                            "nobuf", "xdp_err", "xdp_tx_err"};
  return std::ranges::any_of(words,
                             [name](std::string_view word) { return name.find(word) != std::string_view::npos; });
}

HostCounters read_driver_counters(int socket, const std::string& interface) {
  HostCounters counters;
  const auto count = statistics_count(socket, interface);
  auto name_memory = room_for<ethtool_gstrings>(count, ETH_GSTRING_LEN);
  auto value_memory = room_for<ethtool_stats>(count, sizeof(std::uint64_t));
  auto* names = reinterpret_cast<ethtool_gstrings*>(name_memory.data());
  auto* values = reinterpret_cast<ethtool_stats*>(value_memory.data());
  names->cmd = ETHTOOL_GSTRINGS;
  names->string_set = ETH_SS_STATS;
  names->len = count;
  values->cmd = ETHTOOL_GSTATS;
  values->n_stats = count;
  if (count == 0 || !ask(socket, interface, names) || !ask(socket, interface, values)) return counters;
  for (std::uint32_t i = 0; i < std::min(names->len, values->n_stats); ++i) {
    const auto* text = reinterpret_cast<const char*>(names->data + std::size_t{i} * ETH_GSTRING_LEN);
    const std::string name(text, ::strnlen(text, ETH_GSTRING_LEN));
    if (counts_loss(name)) counters.push_back({"driver", interface, name, values->data[i]});
  }
  return counters;
}

}  // namespace sonde::drops
