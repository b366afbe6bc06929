// SPDX-License-Identifier: Apache-2.0
// corpus_pcap SCENE SEED FILE: writes a scene as packets. corpus_pcap list: names them, with what they must be found
// as.
#include <fmt/core.h>

#include <cstdlib>
#include <string_view>

#include "pcap.hpp"
#include "scenes.hpp"

namespace {

using namespace sonde::corpus;

void list() {
  for (const auto& scene : benign_scenes()) fmt::print("{} -\n", scene.name);
  for (const auto& scene : attack_scenes()) {
    Traffic traffic(1);
    fmt::print("{} {}\n", scene.name, sonde::security_kind_name(scene.make(traffic).kind));
  }
}

bool make(std::string_view name, Traffic& traffic) {
  for (const auto& scene : benign_scenes())
    if (name == scene.name) return scene.make(traffic), true;
  for (const auto& scene : attack_scenes())
    if (name == scene.name) return scene.make(traffic), true;
  return false;
}

}  // namespace

int main(int count, char** words) {
  if (count == 2 && std::string_view(words[1]) == "list") {
    list();
    return 0;
  }
  if (count != 4) {
    fmt::print(stderr, "usage: corpus_pcap SCENE SEED FILE | list\n");
    return 2;
  }
  Traffic traffic(std::strtoull(words[2], nullptr, 10));
  if (!make(words[1], traffic)) {
    fmt::print(stderr, "corpus_pcap: there is no scene '{}'\n", words[1]);
    return 2;
  }
  traffic.sort();
  return write_pcap(traffic, words[3]) ? 0 : 1;
}
