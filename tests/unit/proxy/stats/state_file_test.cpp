// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/stats/state_file.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <thread>

#include "harness/process.hpp"

namespace sonde::proxy {
namespace {

using test::read_file;

struct StateFileTest : testing::Test {
  StateFileTest() { std::filesystem::create_directory(folder); }
  ~StateFileTest() override { std::filesystem::remove_all(folder); }
  [[nodiscard]] long files() const { return std::distance(std::filesystem::directory_iterator(folder), {}); }
  [[nodiscard]] ino_t inode() const {
    struct stat status {};
    ::stat(path.c_str(), &status);
    return status.st_ino;
  }

  std::string folder = std::filesystem::temp_directory_path() / ("sonde-state-" + std::to_string(::getpid()));
  std::string path = folder + "/state.json";
};

TEST_F(StateFileTest, WritesAndReads) {
  auto file = StateFile::open(folder + "/a/b/state.json");
  ASSERT_TRUE(file) << file.error().text();
  EXPECT_EQ(*file->read(), "");
  EXPECT_TRUE(file->write("long content", true));
  EXPECT_EQ(*file->read(), "long content");
  EXPECT_TRUE(file->write("short", false));
  EXPECT_EQ(*file->read(), "short");
  EXPECT_EQ(read_file(folder + "/a/b/state.json"), "short");
}

TEST_F(StateFileTest, AReaderNeverSeesHalf) {
  auto file = StateFile::open(path);
  ASSERT_TRUE(file && file->write(std::string(100'000, 'a'), false));
  std::atomic<bool> stopped = false;
  std::thread reader([&] {
    while (!stopped) {
      const std::string seen = read_file(path);
      ASSERT_EQ(seen.size(), 100'000U);
      ASSERT_EQ(seen.find_first_not_of(seen[0]), std::string::npos);
    }
  });
  for (int i = 0; i < 300; ++i) EXPECT_TRUE(file->write(std::string(100'000, static_cast<char>('a' + i % 26)), false));
  stopped = true;
  reader.join();
  EXPECT_EQ(files(), 1);
}

TEST_F(StateFileTest, TheModeStays) {
  auto file = StateFile::open(path);
  ASSERT_TRUE(file);
  std::filesystem::permissions(path, static_cast<std::filesystem::perms>(0604));
  ASSERT_TRUE(file->write("new", false));
  EXPECT_EQ(std::filesystem::status(path).permissions(), static_cast<std::filesystem::perms>(0604));
}

// As somebody who may not make files there, which root always may.
TEST_F(StateFileTest, InPlaceWhereTheFolderDoesNotAllowMore) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto file = StateFile::open(path);
    const bool opened = file && file->write("as the one who opened it", false).has_value();
    const ino_t before = inode();
    std::filesystem::permissions(folder, static_cast<std::filesystem::perms>(0555));
    if (::geteuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) ::_exit(2);
    const bool written = file->write("short", true).has_value();
    std::error_code ignored;
    ::_exit(opened && written && inode() == before && *file->read() == "short" ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  std::filesystem::permissions(folder, std::filesystem::perms::owner_all);
  EXPECT_EQ(read_file(path), "short");
  EXPECT_EQ(files(), 1);
}

TEST_F(StateFileTest, ALinkStaysOneAndADeviceIsWritten) {
  auto target = StateFile::open(folder + "/target");
  std::filesystem::create_symlink("target", path);
  auto file = StateFile::open(path);
  ASSERT_TRUE(target && file);
  EXPECT_TRUE(file->write("through the link", false));
  EXPECT_TRUE(std::filesystem::is_symlink(path));
  EXPECT_EQ(read_file(folder + "/target"), "through the link");
  auto null = StateFile::open("/dev/null");
  ASSERT_TRUE(null);
  EXPECT_TRUE(null->write("away", true));
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

TEST_F(StateFileTest, AFullDiskKeepsTheOldContent) {
  auto file = StateFile::open(path);
  ASSERT_TRUE(file && file->write("old", false));
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit tight{.rlim_cur = 1000, .rlim_max = 1000};
    ::setrlimit(RLIMIT_FSIZE, &tight);
    const auto written = file->write(std::string(100'000, 'x'), false);
    ::_exit(!written && written.error().code == EFBIG ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(read_file(path), "old");
  EXPECT_EQ(files(), 1);
}

TEST_F(StateFileTest, SetAside) {
  auto file = StateFile::open(path);
  ASSERT_TRUE(file && file->write("{broken", false));
  const auto aside = file->set_aside();
  ASSERT_TRUE(aside);
  EXPECT_TRUE(aside->starts_with(path + ".broken-"));
  EXPECT_EQ(read_file(*aside), "{broken");
  EXPECT_EQ(*file->read(), "");
}

// Each reads a number, adds one and writes it, through descriptors of their own.
TEST_F(StateFileTest, LockedTheyDoNotLoseEachOthersWords) {
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread)
    threads.emplace_back([this] {
      auto file = StateFile::open(path);
      ASSERT_TRUE(file);
      for (int i = 0; i < 50; ++i) {
        ASSERT_TRUE(file->lock());
        const std::string old = *file->read();
        ASSERT_TRUE(file->write(std::to_string(old.empty() ? 1 : std::stoi(old) + 1), false));
        file->unlock();
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(read_file(path), "200");
}

TEST_F(StateFileTest, ALockThatIsKeptIsAnError) {
  auto one = StateFile::open(path);
  auto other = StateFile::open(path);
  ASSERT_TRUE(one && other && one->lock());
  const auto locked = other->lock();
  ASSERT_FALSE(locked);
  EXPECT_EQ(locked.error().message, path + ": locked by another process");
  one->unlock();
  EXPECT_TRUE(other->lock());
}

}  // namespace
}  // namespace sonde::proxy
