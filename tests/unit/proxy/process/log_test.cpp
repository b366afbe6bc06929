// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/process/log.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <thread>
#include <vector>

#include "harness/process.hpp"

namespace sonde::proxy {
namespace {

using test::lines_of;
using test::read_file;
using testing::ElementsAre;
using testing::MatchesRegex;

ProxyLog with_level(const std::string& level) {
  ProxyLog config;
  config.level = level;
  return config;
}

ProxyLog with_output(const std::string& output) {
  ProxyLog config;
  config.output = output;
  config.show_timestamp = config.show_module = false;
  return config;
}

struct LogTest : testing::Test {
  LogTest() { std::filesystem::create_directory(folder); }
  ~LogTest() override {
    EXPECT_TRUE(open_log(with_level("off")));
    std::filesystem::remove_all(folder);
  }
  [[nodiscard]] ProxyLog to_file() const {
    auto config = with_output("file");
    config.file_path = path;
    return config;
  }
  [[nodiscard]] std::vector<std::string> lines() const { return lines_of(read_file(path)); }

  std::string folder = std::filesystem::temp_directory_path() / ("sonde-log-" + std::to_string(::getpid()));
  std::string path = folder + "/proxy.log";
};

TEST_F(LogTest, LevelsOffToTrace) {
  const std::vector<std::string> names{"off", "error", "warn", "info", "debug", "trace"};
  for (std::size_t wanted = 0; wanted < names.size(); ++wanted) {
    std::filesystem::remove(path);
    auto config = to_file();
    config.level = names[wanted];
    ASSERT_TRUE(open_log(config));
    for (std::size_t level = 1; level < names.size(); ++level)
      log(static_cast<LogLevel>(level), "test", "{}", names[level]);
    std::vector<std::string> expected;
    const std::vector<std::string> texts{"", "ERROR error", "WARN  warn", "INFO  info", "DEBUG debug", "TRACE trace"};
    for (std::size_t level = 1; level <= wanted; ++level) expected.push_back(texts[level]);
    EXPECT_EQ(lines(), expected) << names[wanted];
    EXPECT_FALSE(log_wants(LogLevel::off));
  }
}

TEST_F(LogTest, TimestampAndModuleCanBeSwitched) {
  auto config = to_file();
  config.show_module = true;
  ASSERT_TRUE(open_log(config));
  log(LogLevel::warn, "dns", "slow {}", 7);
  config.show_timestamp = true;
  ASSERT_TRUE(open_log(config));
  log(LogLevel::info, "listener", "up");
  EXPECT_THAT(lines(), ElementsAre("WARN  [dns] slow 7",
                                   MatchesRegex("\\[[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}"
                                                "[+-][0-9]{2}:[0-9]{2}\\] INFO  \\[listener\\] up")));
}

TEST_F(LogTest, WrongWordsAreNamed) {
  auto opened = open_log(with_level("loud"));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, ErrorKind::usage);
  EXPECT_EQ(opened.error().message, "log.level: \"loud\": expected off, error, warn, info, debug or trace");
  opened = open_log(with_output("syslog"));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().message, "log.output: \"syslog\": expected stdout, stderr, file or both");
  EXPECT_FALSE(open_log(with_output("file")));
}

TEST_F(LogTest, AFolderThatIsMissingIsMade) {
  auto config = to_file();
  config.file_path = folder + "/a/b/proxy.log";
  ASSERT_TRUE(open_log(config));
  log(LogLevel::info, "test", "there");
  EXPECT_EQ(read_file(config.file_path), "INFO  there\n");
}

TEST_F(LogTest, NobodyCanForgeALine) {
  ASSERT_TRUE(open_log(to_file()));
  log(LogLevel::info, "test", "name \"{}\"", "a\nERROR all is lost\033[2J\x7fz\xc3\xa9");
  EXPECT_EQ(read_file(path), "INFO  name \"a\\x0aERROR all is lost\\x1b[2J\\x7fz\xc3\xa9\"\n");
}

TEST_F(LogTest, RotatesBySizeAndKeepsTheYoungest) {
  auto config = to_file();
  config.enable_rotation = true;
  config.max_size_mb = 1;
  config.max_backups = 2;
  ASSERT_TRUE(open_log(config));
  const std::string text(1000, 'x');
  constexpr int count = 4500;  // 4.4 MiB: two files are full and gone, two are full and kept
  for (int i = 0; i < count; ++i) log(LogLevel::info, "test", "{:05} {}", i, text);
  EXPECT_FALSE(std::filesystem::exists(path + ".3"));
  std::vector<std::string> kept;
  for (const char* suffix : {".2", ".1", ""}) {
    EXPECT_LE(std::filesystem::file_size(path + suffix), 1U << 20) << suffix;
    for (const auto& line : lines_of(read_file(path + suffix))) kept.push_back(line.substr(6, 5));
  }
  EXPECT_GT(std::filesystem::file_size(path + ".1"), (1U << 20) - 1100);
  ASSERT_FALSE(kept.empty());
  EXPECT_EQ(kept.back(), fmt::format("{:05}", count - 1));
  for (std::size_t i = 0; i < kept.size(); ++i)
    ASSERT_EQ(kept[i], fmt::format("{:05}", count - kept.size() + i)) << "none missing, none twice";
}

TEST_F(LogTest, RotationWithoutBackupsBeginsAnew) {
  auto config = to_file();
  config.enable_rotation = true;
  config.max_size_mb = 1;
  config.max_backups = 0;
  ASSERT_TRUE(open_log(config));
  for (int i = 0; i < 1500; ++i) log(LogLevel::info, "test", "{}", std::string(1000, 'x'));
  EXPECT_LT(std::filesystem::file_size(path), 600'000U);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
}

TEST_F(LogTest, WithoutRotationItGrows) {
  ASSERT_TRUE(open_log(to_file()));
  for (int i = 0; i < 1500; ++i) log(LogLevel::info, "test", "{}", std::string(1000, 'x'));
  EXPECT_EQ(lines().size(), 1500U);
}

TEST_F(LogTest, ReopenedAfterSomebodyRenamedIt) {
  ASSERT_TRUE(open_log(to_file()));
  log(LogLevel::info, "test", "one");
  std::filesystem::rename(path, path + ".old");
  log(LogLevel::info, "test", "two");
  reopen_log();
  log(LogLevel::info, "test", "three");
  EXPECT_THAT(lines_of(read_file(path + ".old")), ElementsAre("INFO  one", "INFO  two"));
  EXPECT_THAT(lines(), ElementsAre("INFO  three"));
}

TEST_F(LogTest, ThreadsDoNotMixTheirLines) {
  ASSERT_TRUE(open_log(to_file()));
  std::vector<std::thread> threads;
  for (char letter = 'a'; letter < 'e'; ++letter)
    threads.emplace_back([letter] {
      for (int i = 0; i < 500; ++i) log(LogLevel::info, "test", "{}", std::string(200, letter));
    });
  for (auto& thread : threads) thread.join();
  const auto written = lines();
  EXPECT_EQ(written.size(), 2000U);
  for (const auto& line : written) EXPECT_EQ(std::count(line.begin(), line.end(), line.back()), 200) << line;
}

// A file that must not grow stands for a full disk.
TEST_F(LogTest, LostLinesAreCountedAndShown) {
  ASSERT_TRUE(open_log(to_file()));
  log(LogLevel::info, "test", "before");
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit tight{.rlim_cur = std::filesystem::file_size(path), .rlim_max = old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tight), 0);
  for (int i = 0; i < 3; ++i) log(LogLevel::info, "test", "lost {}", i);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  std::signal(SIGXFSZ, handler);
  log(LogLevel::info, "test", "after");
  EXPECT_THAT(lines(),
              ElementsAre("INFO  before", "WARN  3 lines of this log were lost: File too large", "INFO  after"));
}

// What the process writes to its standard output and error, by file.
std::string output_of(int fd, const std::function<void()>& action) {
  const test::TemporaryFile file(".out");
  const Fd saved(::dup(fd));
  const Fd to(::open(file.path().c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  ::dup2(to.get(), fd);
  action();
  ::dup2(saved.get(), fd);
  return read_file(file.path());
}

TEST_F(LogTest, OutputsGoWhereTheyShould) {
  for (const std::string output : {"stdout", "stderr", "both"}) {
    std::filesystem::remove(path);
    auto config = to_file();
    config.output = output;
    std::string errors;
    const std::string out = output_of(STDOUT_FILENO, [&] {
      errors = output_of(STDERR_FILENO, [&] {
        EXPECT_TRUE(open_log(config));
        log(LogLevel::error, "test", "here");
      });
    });
    EXPECT_EQ(out, output == "stderr" ? "" : "ERROR here\n") << output;
    EXPECT_EQ(errors, output == "stderr" ? "ERROR here\n" : "") << output;
    EXPECT_EQ(read_file(path), output == "both" ? "ERROR here\n" : "") << output;
  }
}

TEST_F(LogTest, ColorsOnATerminalOnly) {
  const Fd terminal(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_TRUE(terminal);
  ASSERT_EQ(::unlockpt(terminal.get()), 0);
  char name[64];
  ASSERT_EQ(::ptsname_r(terminal.get(), name, sizeof(name)), 0);
  const auto written = [&](bool color) {
    const Fd saved(::dup(STDERR_FILENO));
    const Fd side(::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
    ::dup2(side.get(), STDERR_FILENO);
    auto config = with_output("stderr");
    config.use_color = color;
    EXPECT_TRUE(open_log(config));
    log(LogLevel::error, "test", "red");
    ::dup2(saved.get(), STDERR_FILENO);
    char text[128];
    const auto size = ::read(terminal.get(), text, sizeof(text));
    return std::string(text, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  };
  EXPECT_EQ(written(true), "\033[31mERROR\033[0m red\r\n");
  EXPECT_EQ(written(false), "ERROR red\r\n");
}

}  // namespace
}  // namespace sonde::proxy
