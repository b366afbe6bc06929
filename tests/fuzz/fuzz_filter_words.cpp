// SPDX-License-Identifier: Apache-2.0
// Input: lines of one letter, which names the option, and a word. A wrong word must be a usage error; a filter that
// compiles must translate for both contexts and judge a packet.
#include <netdb.h>

#include <cstddef>
#include <cstdint>
#include <sstream>
#include <string>

#include "filter/filter.hpp"
#include "filter/translate.hpp"
#include "model/parse.hpp"

// An expression may name hosts and networks: no fuzzing run may ask a name server for them.
extern "C" int getaddrinfo(const char*, const char*, const addrinfo*, addrinfo**) { return EAI_NONAME; }
extern "C" int getnetbyname_r(const char*, netent*, char*, std::size_t, netent** result, int*) {
  *result = nullptr;
  return 0;
}

namespace {

void check(bool holds) {
  if (!holds) __builtin_trap();
}

// Letters that name no option end the expression, so that every input means something.
void set_option(sonde::FilterOptions& options, char letter, const std::string& word) {
  switch (letter) {
    case 'p': options.protocol = word; break;
    case 's': options.source_networks.push_back(word); break;
    case 'd': options.destination_networks.push_back(word); break;
    case 'n': options.networks.push_back(word); break;
    case 'S': options.source_ports.push_back(word); break;
    case 'D': options.destination_ports.push_back(word); break;
    case 'P': options.ports.push_back(word); break;
    case 'r': options.direction = word; break;
    case 'm': options.min_size = static_cast<std::uint32_t>(word.size()); break;
    case 'M': options.max_size = static_cast<std::uint32_t>(word.size()); break;
    default: options.expression += word + " ";
  }
}

void use(const sonde::filter::CompiledFilter& filter, const std::string& bytes) {
  using sonde::filter::ProgramContext;
  for (const auto& program : {filter.ethernet, filter.raw_ip}) {
    if (program.empty()) continue;
    for (const auto context : {ProgramContext::xdp, ProgramContext::skb}) {
      const auto translated = sonde::filter::translate(program, context);
      check(!translated || !translated->empty());
    }
  }
  const std::span packet(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  for (const auto link : {sonde::LinkType::ethernet, sonde::LinkType::raw_ip}) {
    sonde_packet_event event{};
    sonde::parse_packet(packet, static_cast<std::uint32_t>(packet.size()), link, {}, event);
    (void)sonde::filter::matches(filter, event, packet);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 2000) return 0;
  const std::string input(data, data + size);
  if (input.find('\0') != std::string::npos) return 0;  // no word of a command line holds one
  sonde::FilterOptions options;
  std::istringstream lines(input);
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty()) set_option(options, line[0], line.substr(1));
  }
  const auto filter = sonde::filter::compile(options);
  if (!filter) {
    check(filter.error().kind == sonde::ErrorKind::usage && !filter.error().message.empty());
    return 0;
  }
  use(*filter, input);
  return 0;
}
