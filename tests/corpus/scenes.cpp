// SPDX-License-Identifier: Apache-2.0
#include "scenes.hpp"

#include <cstring>

namespace sonde::corpus {

Address public_address(Random& random) {
  for (;;) {
    const auto address = ipv4(static_cast<std::uint32_t>(random.next()));
    if (address[12] != 0 && detect::is_one_host(address) && !detect::is_private(address)) return address;
  }
}

std::string random_name(Random& random, std::size_t length, const char* letters) {
  const auto count = static_cast<std::uint32_t>(std::strlen(letters));
  std::string name;
  for (std::size_t i = 0; i < length; ++i) name += letters[random.between(0, count - 1)];
  return name;
}

std::shared_ptr<const SocketOwner> program(const char* executable, std::uint32_t pid) {
  auto process = std::make_shared<Process>();
  process->pid = pid;
  process->executable = executable;
  process->comm = std::string(executable).substr(std::string(executable).rfind('/') + 1).substr(0, 15);
  auto owner = std::make_shared<SocketOwner>();
  owner->owner.method = OwnerMethod::sk_storage;
  owner->owner.confidence = OwnerConfidence::high;
  owner->owner.reason = SONDE_REASON_NONE;
  owner->owner.pid = owner->owner.tid = pid;
  owner->owner.comm = process->comm;
  owner->owner.process = process;
  return owner;
}

std::vector<AttackScene> attack_scenes() {
  std::vector<AttackScene> all;
  for (const auto part : {scan_attacks(), flood_attacks(), host_attacks()})
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace sonde::corpus
