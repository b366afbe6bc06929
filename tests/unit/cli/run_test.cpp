// SPDX-License-Identifier: Apache-2.0
// The whole program with string streams: answers, errors, exit statuses. Needs no root.
#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "commands.hpp"

namespace sonde::cli {
namespace {

struct Ended {
  int status;
  std::string out, err;
};

Ended run_words(std::vector<std::string> words) {
  std::ostringstream out, err;
  const Environment env{out, err, false};
  const int status = run(env, std::move(words));
  return {status, out.str(), err.str()};
}

TEST(Run, WithoutAWordTellsTheCommands) {
  const auto ended = run_words({});
  EXPECT_EQ(ended.status, usage);
  EXPECT_EQ(ended.out, "");
  for (const auto& command : commands()) EXPECT_NE(ended.err.find(std::string(command.name)), std::string::npos);
}

TEST(Run, Help) {
  for (const std::string word : {"--help", "-h", "help"}) {
    const auto ended = run_words({word});
    EXPECT_EQ(ended.status, well);
    EXPECT_NE(ended.out.find("capture"), std::string::npos);
    EXPECT_EQ(ended.err, "");
  }
  for (const auto& command : commands()) {
    const auto ended = run_words({std::string(command.name), "--help"});
    EXPECT_EQ(ended.status, well) << command.name;
    EXPECT_NE(ended.out, "");
  }
}

TEST(Run, Version) {
  const auto ended = run_words({"--version"});
  EXPECT_EQ(ended.status, well);
  EXPECT_EQ(ended.out.find("sonde "), 0U);
}

TEST(Run, UnknownCommandIsNamedWithThoseThatExist) {
  const auto ended = run_words({"captur"});
  EXPECT_EQ(ended.status, usage);
  EXPECT_EQ(ended.out, "");
  EXPECT_NE(ended.err.find("'captur'"), std::string::npos);
  EXPECT_NE(ended.err.find("capture, retrans, drops, connections, flows, stats"), std::string::npos) << ended.err;
}

TEST(Run, WrongWordsOfACaptureAreTwo) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"capture", "-i", "nosuch0"},
                                                {"capture", "-i", "lo", "--port", "x"},
                                                {"capture", "-r", "f.pcap", "-i", "lo"},
                                                {"capture", "-i", "lo", "-o", "xml"},
                                                {"capture", "-i", "lo", "(tcp"}}) {
    const auto ended = run_words(words);
    EXPECT_EQ(ended.status, usage) << ended.err;
    EXPECT_NE(ended.err, "");
    EXPECT_EQ(ended.out, "");
  }
}

TEST(Run, AFileThatIsNotThereIsOne) {
  const auto ended = run_words({"capture", "-q", "-r", "/nosuch/file.pcap"});
  EXPECT_EQ(ended.status, failed) << ended.err;
  EXPECT_NE(ended.err.find("/nosuch/file.pcap"), std::string::npos);
}

TEST(Run, AnEmptyCaptureFileEndsWellWithItsBooks) {
  const auto path = std::filesystem::temp_directory_path() / ("sonde-empty-" + std::to_string(::getpid()) + ".pcap");
  const unsigned char header[24] = {0xd4, 0xc3, 0xb2, 0xa1, 2,    0,    4, 0, 0, 0, 0, 0,
                                    0,    0,    0,    0,    0xff, 0xff, 0, 0, 1, 0, 0, 0};
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(header), sizeof(header));
  const auto ended = run_words({"capture", "-q", "-r", path.string()});
  std::filesystem::remove(path);
  EXPECT_EQ(ended.status, well) << ended.err;
  EXPECT_NE(ended.err.find("0 packets in"), std::string::npos) << ended.err;
  EXPECT_NE(ended.err.find("0 lost; the books balance"), std::string::npos) << ended.err;
}

}  // namespace
}  // namespace sonde::cli
