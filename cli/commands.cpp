// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"

#include <iomanip>

#include "capture/capture.hpp"
#include "doctor/doctor.hpp"
#include "events/commands.hpp"
#include "flows/flows.hpp"
#include "guard/guard.hpp"
#include "proxy/proxy.hpp"
#include "stats/stats.hpp"
#include "watch/watch.hpp"

namespace sonde::cli {
namespace {

constexpr Command table[] = {
    {"capture", "show every packet of an interface, received and sent", capture},
    {"retrans", "show each TCP retransmission: whose, why, and where the segment was lost", retrans},
    {"drops", "show each packet that the kernel dropped: reason, place, whose", drops},
    {"connections", "show TCP connections as they open, fail and end, with their owners", connections},
    {"flows", "show who talks to whom, how much, how fast, and whose it is", flows},
    {"stats", "count packets by interface, beside what the interfaces count themselves", stats},
    {"watch", "tell of scans, floods, spoofing and the like as they happen, and stop them", watch},
    {"guard", "drop, limit and allow packets before they reach the host, by rules in the kernel", guard},
    {"proxy", "forward TLS connections by the name that the client asks for, in the kernel if possible", proxy},
    {"doctor", "tell what works on this kernel with these privileges, and why not", doctor},
};

void print_help(std::ostream& out) {
  out << "sonde shows what happens on the network of this host.\n\n"
         "Usage: sonde COMMAND [OPTIONS]\n\nCommands:\n";
  for (const auto& command : table)
    out << "  " << std::left << std::setw(13) << command.name << command.description << '\n';
  out << "\n`sonde COMMAND --help` explains a command. Exit status: 0 well, 1 failed, 2 usage,\n"
         "3 the kernel or the privileges do not allow it.\n";
}

std::string names() {
  std::string names;
  for (const auto& command : table) names += (names.empty() ? "" : ", ") + std::string(command.name);
  return names;
}

}  // namespace

std::span<const Command> commands() { return table; }

int report(const Environment& env, const Error& error) {
  env.err << "sonde: " << error.text() << '\n';
  return static_cast<int>(error.kind);
}

int run(const Environment& env, std::vector<std::string> arguments) {
  if (arguments.empty()) {
    print_help(env.err);
    return usage;
  }
  const auto word = arguments.front();
  if (word == "--help" || word == "-h" || word == "help") {
    print_help(env.out);
    return well;
  }
  if (word == "--version" || word == "-V") {
    env.out << "sonde " SONDE_VERSION "\n";
    return well;
  }
  arguments.erase(arguments.begin());
  for (const auto& command : table)
    if (command.name == word) return command.run(env, std::move(arguments));
  env.err << "sonde: no command '" << word << "'; expected one of " << names() << '\n';
  return usage;
}

}  // namespace sonde::cli
