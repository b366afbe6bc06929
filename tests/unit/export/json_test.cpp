// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "export/json/escape.hpp"
#include "harness/command.hpp"
#include "samples.hpp"

namespace sonde::exporter {
namespace {

using nlohmann::json;

std::vector<json> objects_of(const test::Capture& capture, JsonOptions options) {
  const auto make = [options](Output output) { return make_json_sink(std::move(output), options); };
  std::vector<json> objects;
  for (const std::string& line : test::lines_of(test::output_of(capture, make))) objects.push_back(json::parse(line));
  return objects;
}

TEST(Json, EveryLineIsAnObjectAndTheLastIsTheSummary) {
  const test::Capture capture = test::all_samples();
  const std::vector<json> objects = objects_of(capture, {});
  ASSERT_EQ(objects.size(), capture.packets.size() + 1);
  for (std::size_t i = 0; i < capture.packets.size(); ++i) {
    EXPECT_EQ(objects[i].at("type"), "packet");
    EXPECT_EQ(objects[i].at("size"), capture.events[i].packet_size);
    EXPECT_FALSE(objects[i].contains("data"));
    EXPECT_FALSE(objects[i].contains("decoded"));
  }
  EXPECT_EQ(objects.back().at("type"), "summary");
  EXPECT_EQ(objects.back().at("loss").at("balanced"), true);
  EXPECT_EQ(objects.back().at("totals").at("in").size(), protocol_class_count);
}

TEST(Json, FieldsOfASyn) {
  const json packet = objects_of(test::all_samples(), {}).front();
  EXPECT_EQ(packet, json::parse(R"({"type":"packet","time":"2026-11-21T01:03:22.123456789Z","interface":"eth0",
    "direction":"out","protocol":"tcp","protocol_number":6,"source":"10.0.0.1","source_port":34567,
    "destination":"10.0.0.2","destination_port":443,"ttl":64,"size":54,"payload_size":0,"flags":"S","seq":12345,
    "ack":65536,"window":64240,"ether_type":"0x0800","status":"ok"})"));
}

TEST(Json, DecodedMembers) {
  const std::vector<json> objects = objects_of(test::all_samples(), {.decoded = true});
  EXPECT_EQ(objects[2].at("decoded").at("target"), "/index.html?a=b");
  EXPECT_EQ(objects[3].at("decoded").at("status"), 200);
  EXPECT_EQ(objects[4].at("decoded").at("alpn"), json({"h2", "http/1.1"}));
  EXPECT_EQ(objects[8].at("decoded").at("answers").at(1).at("data"), "192.0.2.1");
}

TEST(Json, DataIsTheCapturedBytes) {
  test::Capture capture;
  capture.interfaces[1] = {"eth0", LinkType::ethernet};
  capture.add(test::ethernet(0x88cc, test::hex("00ff10")), 1, SONDE_DIRECTION_IN, 16);
  const json packet = objects_of(capture, {.data = true}).front();
  EXPECT_EQ(packet.at("captured"), 16);
  EXPECT_EQ(packet.at("data"), "AgAAAAACAgAAAAABiMwA/w==");
}

TEST(Json, OddInterfaceNames) {
  test::Capture capture;
  capture.interfaces[1] = {"a\"\\\n\x01\xff\xc3\xa9\xed\xa0\x80", LinkType::ethernet};
  capture.add(test::ethernet(0x88cc, {}), 1, SONDE_DIRECTION_IN);
  EXPECT_EQ(objects_of(capture, {}).front().at("interface"), "a\"\\\n\x01\ufffd\u00e9\ufffd\ufffd\ufffd");
}

// nlohmann's parser refuses what is not UTF-8.
TEST(Json, AnyBytesGiveAValidString) {
  for (unsigned first = 0; first < 256; ++first) {
    for (unsigned second = 0; second < 256; ++second) {
      std::string text = {static_cast<char>(first), static_cast<char>(second), static_cast<char>(0x80), 'x'};
      std::string escaped;
      append_json_string(escaped, text);
      ASSERT_TRUE(json::accept(escaped)) << first << " " << second;
      const bool plain = first >= ' ' && second >= ' ' && text.find_first_of("\"\\") == std::string::npos;
      if (plain && json::accept('"' + text + '"')) {
        ASSERT_EQ(json::parse(escaped).get<std::string>(), json::parse('"' + text + '"').get<std::string>());
      }
    }
  }
}

}  // namespace
}  // namespace sonde::exporter
