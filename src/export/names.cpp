// SPDX-License-Identifier: Apache-2.0
#include "export/names.hpp"

#include <algorithm>
#include <array>

namespace sonde::exporter {
namespace {

struct Flags {
  char text[8] = {};
  std::uint8_t size = 0;
};

constexpr std::array<Flags, 256> flag_table = [] {
  std::array<Flags, 256> table{};
  constexpr char letters[] = "FSRP.UEW";  // from the lowest bit
  for (unsigned flags = 1; flags < 256; ++flags) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      if (flags >> bit & 1U) table[flags].text[table[flags].size++] = letters[bit];
    }
  }
  return table;
}();

struct Name {
  std::uint8_t number;
  std::string_view text;
};

using NameTable = std::array<std::string_view, 256>;

template <std::size_t size>
constexpr NameTable index_by_number(const Name (&names)[size]) {
  NameTable table{};
  for (const Name& name : names) table[name.number] = name.text;
  return table;
}

// IANA "ICMP Type Numbers".
constexpr NameTable icmp_types = index_by_number({
    {0, "echo reply"},
    {3, "destination unreachable"},
    {4, "source quench"},
    {5, "redirect"},
    {8, "echo request"},
    {9, "router advertisement"},
    {10, "router solicitation"},
    {11, "time exceeded"},
    {12, "parameter problem"},
    {13, "timestamp request"},
    {14, "timestamp reply"},
    {15, "information request"},
    {16, "information reply"},
    {17, "address mask request"},
    {18, "address mask reply"},
    {42, "extended echo request"},
    {43, "extended echo reply"},
});

// IANA "ICMPv6 type Numbers".
constexpr NameTable icmp6_types = index_by_number({
    {1, "destination unreachable"},
    {2, "packet too big"},
    {3, "time exceeded"},
    {4, "parameter problem"},
    {128, "echo request"},
    {129, "echo reply"},
    {130, "multicast listener query"},
    {131, "multicast listener report"},
    {132, "multicast listener done"},
    {133, "router solicitation"},
    {134, "router advertisement"},
    {135, "neighbor solicitation"},
    {136, "neighbor advertisement"},
    {137, "redirect"},
    {143, "multicast listener report v2"},
    {148, "certification path solicitation"},
    {149, "certification path advertisement"},
    {151, "multicast router advertisement"},
    {152, "multicast router solicitation"},
    {153, "multicast router termination"},
    {155, "RPL control"},
    {160, "extended echo request"},
    {161, "extended echo reply"},
});

// IANA "Protocol Numbers": what is met on hosts.
// clang-format off
constexpr NameTable ip_protocols = index_by_number({
    {1, "ICMP"},    {2, "IGMP"},    {4, "IPIP"},      {6, "TCP"},      {17, "UDP"},   {27, "RDP"},
    {33, "DCCP"},   {41, "IPv6"},   {46, "RSVP"},     {47, "GRE"},     {50, "ESP"},   {51, "AH"},
    {58, "ICMP6"},  {59, "no next header"},           {88, "EIGRP"},   {89, "OSPF"},  {94, "IPIP"},
    {97, "EtherIP"}, {103, "PIM"},  {108, "IPComp"},  {112, "VRRP"},   {115, "L2TP"}, {132, "SCTP"},
    {136, "UDPLite"}, {137, "MPLS"},
});
// clang-format on

struct CodeName {
  std::uint8_t type;
  std::uint8_t code;
  std::string_view text;
};

constexpr CodeName icmp_codes[] = {
    {3, 0, "network"},
    {3, 1, "host"},
    {3, 2, "protocol"},
    {3, 3, "port"},
    {3, 4, "fragmentation needed"},
    {3, 5, "source route failed"},
    {3, 6, "network unknown"},
    {3, 7, "host unknown"},
    {3, 9, "network prohibited"},
    {3, 10, "host prohibited"},
    {3, 13, "prohibited by filter"},
    {5, 0, "network"},
    {5, 1, "host"},
    {11, 0, "in transit"},
    {11, 1, "reassembly"},
};

constexpr CodeName icmp6_codes[] = {
    {1, 0, "no route"},   {1, 1, "prohibited"},   {1, 2, "beyond scope"},        {1, 3, "address"},
    {1, 4, "port"},       {1, 5, "policy"},       {1, 6, "rejected route"},      {3, 0, "in transit"},
    {3, 1, "reassembly"}, {4, 0, "header field"}, {4, 1, "unknown next header"}, {4, 2, "unknown option"},
};

template <std::size_t size>
std::string_view find_code(const CodeName (&table)[size], std::uint8_t type, std::uint8_t code) {
  for (const CodeName& entry : table) {
    if (entry.type == type && entry.code == code) return entry.text;
  }
  return {};
}

struct Status {
  std::string_view word;
  std::string_view remark;
};

constexpr std::array<Status, SONDE_PARSE_STATUS_COUNT> statuses = {{
    {"ok", ""},
    {"truncated_link", " [truncated: link header]"},
    {"truncated_network", " [truncated: network header]"},
    {"truncated_transport", " [truncated: transport header]"},
    {"truncated_payload", " [truncated: payload]"},
    {"malformed_network", " [malformed: network header]"},
    {"malformed_transport", " [malformed: transport header]"},
    {"snapped", " [snapped: headers go on beyond the captured bytes]"},
}};

const Status& status_entry(std::uint8_t status) {
  static constexpr Status unknown = {"unknown", " [unknown status]"};
  return status < statuses.size() ? statuses[status] : unknown;
}

}  // namespace

std::string_view tcp_flag_letters(std::uint8_t flags) {
  if (flags == 0) return "none";
  return {flag_table[flags].text, flag_table[flags].size};
}

std::string_view icmp_type_name(std::uint8_t type) { return icmp_types[type]; }
std::string_view icmp6_type_name(std::uint8_t type) { return icmp6_types[type]; }
std::string_view icmp_code_name(std::uint8_t type, std::uint8_t code) { return find_code(icmp_codes, type, code); }
std::string_view icmp6_code_name(std::uint8_t type, std::uint8_t code) { return find_code(icmp6_codes, type, code); }
std::string_view ip_protocol_name(std::uint8_t protocol) { return ip_protocols[protocol]; }
std::string_view status_word(std::uint8_t status) { return status_entry(status).word; }
std::string_view status_remark(std::uint8_t status) { return status_entry(status).remark; }

std::string_view protocol_class_word(ProtocolClass protocol) {
  static constexpr std::array<std::string_view, protocol_class_count> words = {"tcp",  "udp",      "icmp", "icmp6",
                                                                               "sctp", "other_ip", "arp",  "other"};
  return words[static_cast<std::size_t>(protocol)];
}

}  // namespace sonde::exporter
