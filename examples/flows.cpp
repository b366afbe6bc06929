// SPDX-License-Identifier: Apache-2.0
// Prints each flow of an interface when it ends, until Ctrl-C: who, with whom, how much, whose.
//
//     ./flows eth0
//
// Builds against an installed libsonde: find_package(sonde) and target_link_libraries(flows sonde::sonde).
#include <csignal>
#include <cstdio>

#include "sonde/flow_stream.hpp"

namespace {

sonde::FlowStream* running = nullptr;

const char* name_of(const sonde::Owner& owner) { return owner.known() ? owner.comm.c_str() : "-"; }

void print(const sonde::FlowRecord& record) {
  const auto& flow = record.flow;
  const auto& [opener, responder] = flow.sides;
  std::printf("%s %s > %s, %lu and %lu bytes, %s, %s > %s\n", sonde::flow_protocol_name(flow.protocol).c_str(),
              opener.endpoint.text().c_str(), responder.endpoint.text().c_str(), opener.bytes, responder.bytes,
              sonde::flow_end_name(flow.end), name_of(opener.owner.owner), name_of(responder.owner.owner));
  std::fflush(stdout);
}

int fail(const sonde::Error& error) {
  std::fprintf(stderr, "flows: %s\n", error.text().c_str());
  return static_cast<int>(error.kind);
}

}  // namespace

int main(int argc, char** argv) {
  sonde::FlowStreamOptions options;
  options.output.clear();  // print() is the only output
  if (argc > 1) options.flows.interfaces = {argv[1]};
  auto flows = sonde::FlowStream::make(options, {.record = print, .table = {}, .notice = {}});
  if (!flows) return fail(flows.error());
  running = &*flows;
  std::signal(SIGINT, [](int) { running->stop(); });
  std::signal(SIGTERM, [](int) { running->stop(); });
  for (const auto& notice : flows->notices()) std::fprintf(stderr, "%s\n", notice.c_str());
  const auto summary = flows->run();
  if (summary.error) return fail(*summary.error);
  std::printf("%lu flows, %lu packets lost on the way\n", summary.flows, summary.loss.lost());
}
