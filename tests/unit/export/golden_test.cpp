// SPDX-License-Identifier: Apache-2.0
// Every output of the sample capture, byte by byte. SONDE_UPDATE_GOLDEN=1 writes the files anew: read the difference.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "samples.hpp"

namespace sonde::exporter {
namespace {

pipeline::Summary summary() {
  pipeline::Summary summary;
  summary.loss.stages = {{"hook", 30, 27, 3, 0, ""}, {"ring", 27, 27, 0, 0, "no \"note\""}};
  summary.totals[SONDE_DIRECTION_IN][0] = {4, 500};
  summary.totals[SONDE_DIRECTION_OUT][7] = {1, 2};
  summary.duration = std::chrono::nanoseconds(1'500'000'001);
  return summary;
}

void compare(const char* name, const test::MakeSink& make) {
  ::setenv("TZ", "UTC", 1);  // NOLINT(concurrency-mt-unsafe): no other thread
  const std::string text = test::output_of(test::all_samples(), make, summary());
  const std::string path = std::string(SONDE_GOLDEN) + "/" + name;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread
  if (std::getenv("SONDE_UPDATE_GOLDEN") != nullptr) std::ofstream(path, std::ios::binary) << text;
  EXPECT_EQ(text, test::read_file(path));
}

TEST(Golden, Text) {
  compare("packets.txt", [](Output output) { return make_text_sink(std::move(output), {.date = true}); });
}
TEST(Golden, Colour) {
  compare("packets.colour.txt", [](Output output) { return make_text_sink(std::move(output), {.colour = true}); });
}
TEST(Golden, Hex) {
  compare("packets.hex.txt", [](Output output) { return make_hex_sink(std::move(output), {}); });
}
TEST(Golden, Ascii) {
  compare("packets.ascii.txt", [](Output output) { return make_ascii_sink(std::move(output), {}); });
}
TEST(Golden, Decode) {
  compare("packets.decode.txt", [](Output output) { return make_decode_sink(std::move(output), {}); });
}
TEST(Golden, Json) {
  compare("packets.json",
          [](Output output) { return make_json_sink(std::move(output), {.data = true, .decoded = true}); });
}

}  // namespace
}  // namespace sonde::exporter
