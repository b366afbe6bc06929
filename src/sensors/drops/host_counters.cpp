// SPDX-License-Identifier: Apache-2.0
#include "sensors/drops/host_counters.hpp"

#include <fmt/format.h>
#include <linux/gen_stats.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <vector>

#include "base/fd.hpp"
#include "kernel/netlink.hpp"
#include "sensors/drops/driver_counters.hpp"

namespace sonde::drops {
namespace {

struct LinkCounter {
  const char* name;
  __u64 rtnl_link_stats64::*member;
};

constexpr LinkCounter link_counters[] = {
    {"rx_errors", &rtnl_link_stats64::rx_errors},
    {"rx_dropped", &rtnl_link_stats64::rx_dropped},
    {"rx_missed_errors", &rtnl_link_stats64::rx_missed_errors},
    {"rx_fifo_errors", &rtnl_link_stats64::rx_fifo_errors},
    {"rx_over_errors", &rtnl_link_stats64::rx_over_errors},
    {"rx_nohandler", &rtnl_link_stats64::rx_nohandler},
    {"tx_errors", &rtnl_link_stats64::tx_errors},
    {"tx_dropped", &rtnl_link_stats64::tx_dropped},
    {"tx_fifo_errors", &rtnl_link_stats64::tx_fifo_errors},
    {"tx_carrier_errors", &rtnl_link_stats64::tx_carrier_errors},
};

std::vector<std::uint64_t> hexadecimal_words(std::string_view line) {
  std::vector<std::uint64_t> words;
  while (!line.empty()) {
    std::uint64_t word = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), word, 16);
    if (error != std::errc{}) break;
    words.push_back(word);
    line.remove_prefix(static_cast<std::size_t>(end - line.data()));
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  }
  return words;
}

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (!line.empty()) {
    const auto word = line.substr(0, line.find(' '));
    if (!word.empty()) words.push_back(word);
    line.remove_prefix(std::min(line.size(), word.size() + 1));
  }
  return words;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    lines.push_back(text.substr(0, text.find('\n')));
    text.remove_prefix(std::min(text.size(), lines.back().size() + 1));
  }
  return lines;
}

std::string text_of(const rtattr& attribute) {
  const auto* text = static_cast<const char*>(RTA_DATA(&attribute));
  return {text, ::strnlen(text, RTA_PAYLOAD(&attribute))};
}

template <class T>
T value_of(const rtattr& attribute) {
  T value{};
  std::memcpy(&value, RTA_DATA(&attribute), std::min(sizeof(value), static_cast<std::size_t>(RTA_PAYLOAD(&attribute))));
  return value;
}

// TCA_STATS2 holds attributes of its own.
bool find_queue(const rtattr& statistics, gnet_stats_queue& queue) {
  auto left = static_cast<int>(RTA_PAYLOAD(&statistics));
  for (const auto* entry = static_cast<const rtattr*>(RTA_DATA(&statistics)); RTA_OK(entry, left);
       entry = RTA_NEXT(entry, left)) {
    if (entry->rta_type != TCA_STATS_QUEUE) continue;
    queue = value_of<gnet_stats_queue>(*entry);
    return true;
  }
  return false;
}

// As tc(8) writes it; the device's first qdisc may have none.
std::string handle_text(std::uint32_t handle) { return fmt::format("{:x}:", handle >> 16); }

template <class Fixed>
Result<void> dump_all(int socket, std::uint16_t type, const std::function<void(const nlmsghdr&)>& message) {
  struct {
    nlmsghdr header{};
    Fixed fixed{};
  } request;
  request.header.nlmsg_type = type;
  return kernel::dump(socket, {reinterpret_cast<std::uint8_t*>(&request), sizeof(request)}, message);
}

void append(HostCounters& all, const HostCounters& more) { all.insert(all.end(), more.begin(), more.end()); }

using InterfaceNames = std::map<int, std::string>;

InterfaceNames read_links(int rtnetlink, HostCounters& counters) {
  InterfaceNames names;
  (void)dump_all<ifinfomsg>(rtnetlink, RTM_GETLINK, [&](const nlmsghdr& message) {
    append(counters, parse_link(message));
    kernel::for_each_attribute(message, sizeof(ifinfomsg), [&](const rtattr& attribute) {
      if (attribute.rta_type != IFLA_IFNAME) return;
      names[static_cast<const ifinfomsg*>(NLMSG_DATA(&message))->ifi_index] = text_of(attribute);
    });
  });
  return names;
}

void read_qdiscs(int rtnetlink, const InterfaceNames& names, HostCounters& counters) {
  (void)dump_all<tcmsg>(rtnetlink, RTM_GETQDISC, [&](const nlmsghdr& message) {
    const auto name = names.find(static_cast<const tcmsg*>(NLMSG_DATA(&message))->tcm_ifindex);
    if (name != names.end()) append(counters, parse_qdisc(message, name->second));
  });
}

std::string read_text(const char* path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace

HostCounters parse_softnet(std::string_view text) {
  enum : std::size_t { dropped = 1, time_squeeze = 2, cpu = 12 };  // columns; the last one since Linux 5.14
  HostCounters counters;
  std::size_t row = 0;
  for (const auto line : lines_of(text)) {
    const auto words = hexadecimal_words(line);
    if (words.size() <= time_squeeze) continue;
    const auto where = fmt::format("cpu{}", words.size() > cpu ? words[cpu] : row++);
    counters.push_back({"softnet", where, "dropped", words[dropped]});
    counters.push_back({"softnet", where, "time_squeeze", words[time_squeeze]});
  }
  return counters;
}

HostCounters parse_netstat(std::string_view text) {
  static constexpr std::string_view wanted[] = {"ListenOverflows", "ListenDrops", "TCPReqQFullDrop"};
  HostCounters counters;
  const auto lines = lines_of(text);
  for (std::size_t i = 0; i + 1 < lines.size(); i += 2) {
    const auto names = words_of(lines[i]);
    const auto values = words_of(lines[i + 1]);
    for (std::size_t j = 1; j < std::min(names.size(), values.size()); ++j) {
      std::uint64_t value = 0;
      std::from_chars(values[j].data(), values[j].data() + values[j].size(), value);
      if (std::ranges::find(wanted, names[j]) != std::end(wanted))
        counters.push_back({"tcp", "listen queues", std::string(names[j]), value});
    }
  }
  return counters;
}

HostCounters parse_qdisc(const nlmsghdr& message, const std::string& interface) {
  if (message.nlmsg_type != RTM_NEWQDISC) return {};
  const auto handle = static_cast<const tcmsg*>(NLMSG_DATA(&message))->tcm_handle;
  std::string kind;
  gnet_stats_queue queue{};
  bool counted = false;
  kernel::for_each_attribute(message, sizeof(tcmsg), [&](const rtattr& attribute) {
    if (attribute.rta_type == TCA_KIND) kind = text_of(attribute);
    if (attribute.rta_type == TCA_STATS2) counted = find_queue(attribute, queue);
  });
  if (!counted) return {};
  return {{"qdisc", fmt::format("{} {} {}", interface, kind, handle_text(handle)), "drops", queue.drops}};
}

HostCounters parse_link(const nlmsghdr& message) {
  std::string name;
  rtnl_link_stats64 statistics{};
  kernel::for_each_attribute(message, sizeof(ifinfomsg), [&](const rtattr& attribute) {
    if (attribute.rta_type == IFLA_IFNAME) name = text_of(attribute);
    if (attribute.rta_type == IFLA_STATS64) statistics = value_of<rtnl_link_stats64>(attribute);
  });
  HostCounters counters;
  if (message.nlmsg_type != RTM_NEWLINK || name.empty()) return counters;
  for (const auto& counter : link_counters)
    counters.push_back({"interface", name, counter.name, statistics.*counter.member});
  return counters;
}

HostCounters read_host_counters() {
  auto counters = parse_softnet(read_text("/proc/thread-self/net/softnet_stat"));
  append(counters, parse_netstat(read_text("/proc/thread-self/net/netstat")));
  const auto rtnetlink = kernel::open_rtnetlink();
  if (!rtnetlink) return counters;
  const auto names = read_links(rtnetlink->get(), counters);
  read_qdiscs(rtnetlink->get(), names, counters);
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  for (const auto& [ifindex, name] : names) append(counters, read_driver_counters(socket.get(), name));
  return counters;
}

std::function<HostCounters()> watch_host_counters() {
  return [before = read_host_counters()] { return host_counter_growth(before, read_host_counters()); };
}

}  // namespace sonde::drops
