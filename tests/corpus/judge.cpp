// SPDX-License-Identifier: Apache-2.0
#include "judge.hpp"

#include <algorithm>

#include "flow_model.hpp"

namespace sonde::corpus {

namespace {

std::uint64_t seed_of(const char* name, std::uint64_t seed) {
  std::uint64_t hash = 0;
  for (const char* letter = name; *letter; ++letter) hash = detect::combine(hash, static_cast<std::uint64_t>(*letter));
  return detect::combine(hash, seed);
}

std::string text_of(const SecurityEvent& event) {
  std::string text = std::string(security_kind_name(event.kind)) + " " + event.method + " at " +
                     std::to_string(static_cast<double>(event.wall_ns - epoch_ns) / 1e9) + " s by";
  for (const auto& who : event.who) text += " " + who;
  return text + ": " + event.summary;
}

/// Adds up to `count` benign scenes, each once: two of the same network would be a conflict. Gives their names.
std::string add_benign(Traffic& traffic, std::uint32_t count) {
  std::string names;
  const auto scenes = benign_scenes();
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto& scene = scenes[traffic.random.between(0, static_cast<std::uint32_t>(scenes.size() - 1))];
    const auto name = std::string(" + ") + scene.name;
    if (scene.is_long || names.find(name) != std::string::npos) continue;
    Traffic part(traffic.random.next());
    scene.make(part);
    traffic.merge(std::move(part));
    names += name;
  }
  return names;
}

bool names(const std::vector<std::string>& list, const std::string& one) {
  return one.empty() || std::ranges::find(list, one) != list.end();
}

bool is_found(const Attack& attack, const SecurityEvent& event) {
  const bool method = attack.method.empty() || attack.method == event.method;
  return event.kind == attack.kind && method && names(event.who, attack.who) && names(event.whom, attack.whom);
}

void judge(Score& score, Traffic& traffic, const Attack* attack, const std::string& run) {
  traffic.sort();
  ++score.runs;
  bool found = false;
  std::string note;
  for (const auto& event : play(traffic)) {
    if (event.state != SecurityState::started) continue;
    if (attack && !found && is_found(*attack, event)) {
      found = true;
      score.seconds.push_back(static_cast<double>(event.wall_ns - Traffic::at(attack->begins)) / 1e9);
    } else {
      ++score.false_alarms;
      note += "\n    false alarm: " + text_of(event);
    }
  }
  if (attack) ++(found ? score.found : score.missed);
  if (attack && !found) note += "\n    missed";
  if (!note.empty()) score.notes.push_back(run + note);
}

}  // namespace

Score judge_benign(const BenignScene& scene, int runs, std::uint64_t first_seed) {
  Score score{.scene = scene.name, .what = scene.what};
  for (int run = 0; run < runs; ++run) {
    const auto seed = first_seed + static_cast<std::uint64_t>(run);
    Traffic traffic(seed_of(scene.name, seed));
    scene.make(traffic);
    judge(score, traffic, nullptr, std::string(scene.name) + " seed " + std::to_string(seed));
  }
  return score;
}

Score judge_attack(const AttackScene& scene, int runs, std::uint64_t first_seed) {
  Score score{.scene = scene.name, .what = scene.what, .attack = true};
  for (int run = 0; run < runs; ++run) {
    const auto seed = first_seed + static_cast<std::uint64_t>(run);
    Traffic traffic(seed_of(scene.name, seed));
    const auto attack = scene.make(traffic);
    const auto background = scene.mixes && run % 2 ? add_benign(traffic, traffic.random.between(1, 2)) : "";
    judge(score, traffic, &attack,
          std::string(scene.name) + " seed " + std::to_string(seed) + background + ", " + attack.what);
  }
  return score;
}

Score judge_mixes(int runs, std::uint64_t first_seed) {
  Score score{.scene = "mixes", .what = "3 to 5 of the above at a time"};
  for (int run = 0; run < runs; ++run) {
    const auto seed = first_seed + static_cast<std::uint64_t>(run);
    Traffic traffic(seed_of("mixes", seed));
    const auto background = add_benign(traffic, traffic.random.between(3, 5));
    judge(score, traffic, nullptr, "mix seed " + std::to_string(seed) + background);
  }
  return score;
}

}  // namespace sonde::corpus
