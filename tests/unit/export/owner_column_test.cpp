// SPDX-License-Identifier: Apache-2.0
// The owner of a packet in each output.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "harness/command.hpp"
#include "samples.hpp"

namespace sonde::exporter {
namespace {

using nlohmann::json;
using test::lines_of;

SocketOwner nginx() {
  auto process = std::make_shared<Process>();
  process->pid = 4711;
  process->parent_pid = 4700;
  process->start_time_ns = 1;
  process->uid = 33;
  process->user = "www-data";
  process->comm = "nginx";
  process->executable = "/usr/sbin/nginx";
  process->command_line = {"nginx", "-g", "daemon off;"};
  process->container = Container{"docker", std::string(64, 'c'), "pod-uid"};
  SocketOwner owner;
  owner.owner = {.method = OwnerMethod::sk_storage,
                 .confidence = OwnerConfidence::high,
                 .reason = SONDE_REASON_NONE,
                 .evidence = SONDE_OWNER_SENT,
                 .pid = 4711,
                 .tid = 4712,
                 .uid = 33,
                 .comm = "worker",
                 .process = process};
  return owner;
}

SocketOwner unknown() {
  SocketOwner owner;
  owner.owner.reason = SONDE_REASON_NO_SOCKET;
  return owner;
}

/// Packets of nginx, of nobody, of nginx again, without owner.
struct Owned {
  SocketOwner known = nginx();
  SocketOwner nobody = unknown();
  test::Capture capture;

  Owned() {
    capture.interfaces[1] = {"eth0", LinkType::ethernet};
    const auto request = test::corpus("http/get");
    for (int i = 0; i < 4; ++i)
      capture.add(test::ethernet(0x800, test::ipv4(6, test::tcp(1, 80, 0x18, request))), 1, SONDE_DIRECTION_OUT);
    own(0, known, 7);
    own(1, nobody, 8);
    own(2, known, 7);
  }
  void own(std::size_t packet, const SocketOwner& owner, std::uint64_t id) {
    capture.packets[packet].owner = &owner;
    capture.packets[packet].owner_id = id;
  }
};

// The first lines of packets; those of dumps begin with a tab, those of printable text with "E" (IPv4).
std::vector<std::string> packet_lines(const Owned& owned, const test::MakeSink& make) {
  auto lines = lines_of(test::output_of(owned.capture, make));
  std::erase_if(lines, [](const std::string& line) { return line.find(" eth0 Out IP ") == std::string::npos; });
  return lines;
}

void expect_columns(const std::vector<std::string>& lines) {
  constexpr const char* column = " | nginx[4711] docker:cccccccccccc";
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_TRUE(lines[0].ends_with(column)) << lines[0];
  EXPECT_TRUE(lines[1].ends_with(" | unknown (no socket)")) << lines[1];
  EXPECT_TRUE(lines[2].ends_with(column)) << lines[2];
  EXPECT_EQ(lines[3].find('|'), std::string::npos) << lines[3];
}

TEST(OwnerColumn, EndsEachLine) {
  const Owned owned;
  expect_columns(packet_lines(owned, [](Output output) { return make_text_sink(std::move(output), {}); }));
  expect_columns(packet_lines(owned, [](Output output) { return make_hex_sink(std::move(output), {}); }));
  expect_columns(packet_lines(owned, [](Output output) { return make_ascii_sink(std::move(output), {}); }));
}

TEST(OwnerColumn, FollowsWhatWasDecoded) {
  const auto lines = packet_lines(Owned(), [](Output output) { return make_decode_sink(std::move(output), {}); });
  expect_columns(lines);
  EXPECT_NE(lines[0].find("GET /"), std::string::npos);
}

// Nothing of a name may be an order to the terminal.
TEST(OwnerColumn, EscapesNames) {
  Owned owned;
  auto process = std::make_shared<Process>(*owned.known.owner.process);
  process->comm = "a\033[31m\n\xff";
  owned.known.owner.process = process;
  const auto lines = packet_lines(owned, [](Output output) { return make_text_sink(std::move(output), {}); });
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_NE(lines[0].find(" | a\\x1b[31m\\x0a\\xff[4711]"), std::string::npos) << lines[0];
}

// The id tells owners apart, not the place of the object, which a source may use again.
TEST(OwnerColumn, IsMadeAnewForAnotherId) {
  Owned owned;
  SocketOwner shared = owned.known;
  const auto sink_output = [&](std::uint64_t second_id) {
    const test::TemporaryFile file(".txt");
    const auto sink = make_text_sink(std::move(*open_output(file.path())), {});
    auto packet = owned.capture.packets[0];
    packet.owner = &shared;
    shared = owned.known;
    EXPECT_TRUE(sink->write({&packet, 1}, owned.capture.interfaces));
    shared = owned.nobody;
    packet.owner_id = second_id;
    EXPECT_TRUE(sink->write({&packet, 1}, owned.capture.interfaces));
    EXPECT_TRUE(sink->finish({}));
    return lines_of(test::read_file(file.path()));
  };
  const auto lines = sink_output(8);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_NE(lines[0].find("nginx[4711]"), std::string::npos);
  EXPECT_NE(lines[1].find("unknown (no socket)"), std::string::npos);
}

// More owners than are kept at a time.
TEST(OwnerColumn, ManyOwners) {
  Owned owned;
  const test::TemporaryFile file(".txt");
  const auto sink = make_text_sink(std::move(*open_output(file.path())), {});
  auto packet = owned.capture.packets[0];
  for (std::uint32_t pid = 1; pid <= 10'000; ++pid) {
    owned.known.owner.pid = pid;
    packet.owner_id = pid;
    ASSERT_TRUE(sink->write({&packet, 1}, owned.capture.interfaces));
  }
  ASSERT_TRUE(sink->finish({}));
  const auto lines = lines_of(test::read_file(file.path()));
  ASSERT_EQ(lines.size(), 10'000U);
  for (std::uint32_t pid = 1; pid <= 10'000; ++pid)
    ASSERT_NE(lines[pid - 1].find(" | nginx[" + std::to_string(pid) + "]"), std::string::npos) << lines[pid - 1];
}

std::vector<json> objects_of(const test::Capture& capture, JsonOptions options = {}) {
  const auto make = [options](Output output) { return make_json_sink(std::move(output), options); };
  std::vector<json> objects;
  for (const auto& line : lines_of(test::output_of(capture, make))) objects.push_back(json::parse(line));
  return objects;
}

TEST(OwnerJson, HasOwnerAndOpener) {
  Owned owned;
  owned.known.opener = owned.known.owner;
  owned.known.opener->pid = 99;
  const auto objects = objects_of(owned.capture, {.data = true, .decoded = true});
  EXPECT_EQ(objects[0].at("owner").at("pid"), 4711);
  EXPECT_EQ(objects[0].at("owner").at("method"), "sk_storage");
  EXPECT_EQ(objects[0].at("owner").at("container").at("id"), std::string(64, 'c'));
  EXPECT_EQ(objects[0].at("opener").at("pid"), 99);
  EXPECT_EQ(objects[0].at("decoded").at("protocol"), "http");
  EXPECT_TRUE(objects[0].contains("data"));
  EXPECT_EQ(objects[1].at("owner").at("method"), "none");
  EXPECT_EQ(objects[1].at("owner").at("reason"), "no socket");
  EXPECT_FALSE(objects[1].contains("opener"));
  EXPECT_EQ(objects[2].at("owner"), objects[0].at("owner"));
  EXPECT_FALSE(objects[3].contains("owner"));
}

struct OwnedFile {
  test::TemporaryFile file{".pcapng"};
  explicit OwnedFile(const test::Capture& capture) {
    test::write_file(
        capture, [](Output output) { return make_pcapng_sink(std::move(output), {}); }, file.path());
  }
  [[nodiscard]] std::vector<std::string> comments() const {
    return lines_of(test::run("tshark -n -r " + file.path() +
                              " -T fields -E occurrence=a -E aggregator='|' -e frame.comment 2>/dev/null"));
  }
};

TEST(OwnerPcapng, TsharkShowsTheComments) {
  Owned owned;
  owned.known.opener = owned.known.owner;
  owned.known.opener->pid = 99;
  const auto comments = OwnedFile(owned.capture).comments();
  ASSERT_EQ(comments.size(), 4U);
  const std::string expected =
      std::string("PID: 4711\\nCmd: /usr/sbin/nginx\\nArgs: nginx -g daemon off;") +
      "|ThreadId: 4712\\nThreadName: worker|UserId: 33\\nUserName: www-data" +
      "|ParentPID: 4700|ContainerId: " + std::string(64, 'c') + "\\nContainerRuntime: docker\\nPodUID: pod-uid" +
      "|OwnerMethod: sk_storage\\nOwnerConfidence: high\\nOpenerPID: 99\\n" + "OpenerCmd: /usr/sbin/nginx";
  EXPECT_EQ(comments[0], expected);
  EXPECT_EQ(comments[1], "") << "an unknown owner has no comment";
  EXPECT_EQ(comments[2], expected);
  EXPECT_EQ(comments[3], "");
}

// epb_processid_threadid (draft-ietf-opsawg-pcapng): code 8, size 8, both numbers in the section's byte order.
TEST(OwnerPcapng, HasProcessAndThread) {
  const Owned owned;
  const OwnedFile written(owned.capture);
  struct {
    std::uint16_t code = 8, size = 8;
    std::uint32_t pid = 4711, tid = 4712;
  } option;
  const std::string bytes(reinterpret_cast<const char*>(&option), sizeof(option));
  const auto content = test::read_file(written.file.path());
  std::size_t count = 0;
  for (auto at = content.find(bytes); at != std::string::npos; at = content.find(bytes, at + 1)) ++count;
  EXPECT_EQ(count, 2U);
}

// Longer than an option can hold: cut, and the file stays readable.
TEST(OwnerPcapng, AVeryLongCommandLine) {
  Owned owned;
  auto process = std::make_shared<Process>(*owned.known.owner.process);
  process->command_line = {std::string(100'000, 'x')};
  owned.known.owner.process = process;
  const auto comments = OwnedFile(owned.capture).comments();
  ASSERT_EQ(comments.size(), 4U);
  EXPECT_TRUE(comments[0].starts_with("PID: 4711"));
}

}  // namespace
}  // namespace sonde::exporter
