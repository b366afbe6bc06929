// SPDX-License-Identifier: Apache-2.0
#include "detect/ports.hpp"

namespace sonde::detect {

namespace {

struct Reflector {
  std::uint16_t port;
  const char* name;
};

constexpr Reflector reflectors[] = {
    {17, "QOTD"},         {19, "chargen"},        {53, "DNS"},         {69, "TFTP"},
    {111, "portmap"},     {123, "NTP"},           {137, "NetBIOS"},    {161, "SNMP"},
    {177, "XDMCP"},       {389, "CLDAP"},         {427, "SLP"},        {520, "RIP"},
    {623, "IPMI"},        {1434, "MS SQL"},       {1900, "SSDP"},      {3283, "ARMS"},
    {3389, "RDP"},        {3702, "WS-Discovery"}, {5093, "Sentinel"},  {5351, "NAT-PMP"},
    {5353, "mDNS"},       {5683, "CoAP"},         {10001, "Ubiquiti"}, {11211, "memcached"},
    {37810, "DHDiscover"}};

}  // namespace

const char* reflector_name(std::uint16_t port) {
  for (const auto& each : reflectors)
    if (each.port == port) return each.name;
  return "";
}

bool is_reflector_port(std::uint16_t port) { return *reflector_name(port) != '\0'; }

}  // namespace sonde::detect
