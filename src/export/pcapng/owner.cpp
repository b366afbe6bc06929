// SPDX-License-Identifier: Apache-2.0
#include "export/pcapng/owner.hpp"

#include <cstdint>
#include <string_view>

#include "export/pcapng/block.hpp"

namespace sonde::exporter {
namespace {

enum OptionCode : std::uint16_t {
  option_comment = 1,
  option_processid_threadid = 8,
};

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text.append(text.empty() ? "" : " ").append(word);
  return text;
}

std::string line(std::string_view name, std::string_view value) {
  std::string text(name);
  return text.append(": ").append(value);
}

// The executable where it is known, else the name.
std::string command(const Owner& owner) {
  if (owner.process && !owner.process->executable.empty()) return owner.process->executable;
  return owner.process && !owner.process->comm.empty() ? owner.process->comm : owner.comm;
}

std::string process_comment(const Owner& owner) {
  const auto arguments = owner.process ? joined(owner.process->command_line) : std::string();
  return line("PID", std::to_string(owner.pid)) + "\n" + line("Cmd", command(owner)) + "\n" + line("Args", arguments);
}

std::string thread_comment(const Owner& owner) {
  return line("ThreadId", std::to_string(owner.tid)) + "\n" + line("ThreadName", owner.comm);
}

std::string user_comment(const Owner& owner) {
  auto text = line("UserId", std::to_string(owner.uid));
  if (owner.process && owner.process->uid == owner.uid && !owner.process->user.empty())
    text += "\n" + line("UserName", owner.process->user);
  return text;
}

std::string container_comment(const Container& container) {
  auto text = line("ContainerId", container.id) + "\n" + line("ContainerRuntime", container.runtime);
  if (!container.pod.empty()) text += "\n" + line("PodUID", container.pod);
  return text;
}

// Not of ptcpdump: how the owner was found, and who opened the socket if that was another process.
std::string evidence_comment(const SocketOwner& owners) {
  const auto& owner = owners.owner;
  auto text = line("OwnerMethod", owner_method_name(owner.method)) + "\n" +
              line("OwnerConfidence", owner_confidence_name(owner.confidence));
  if (owners.opener)
    text += "\n" + line("OpenerPID", std::to_string(owners.opener->pid)) + "\n" +
            line("OpenerCmd", command(*owners.opener));
  return text;
}

}  // namespace

std::string owner_options(const SocketOwner& owners) {
  const auto& owner = owners.owner;
  std::string options;
  if (!owner.known()) return options;
  const std::uint32_t ids[2] = {owner.pid, owner.tid};
  append_option(options, option_processid_threadid, {reinterpret_cast<const char*>(ids), sizeof(ids)});
  append_option(options, option_comment, process_comment(owner));
  append_option(options, option_comment, thread_comment(owner));
  append_option(options, option_comment, user_comment(owner));
  if (owner.process && owner.process->parent_pid != 0)
    append_option(options, option_comment, line("ParentPID", std::to_string(owner.process->parent_pid)));
  if (owner.process && owner.process->container)
    append_option(options, option_comment, container_comment(*owner.process->container));
  append_option(options, option_comment, evidence_comment(owners));
  return options;
}

}  // namespace sonde::exporter
