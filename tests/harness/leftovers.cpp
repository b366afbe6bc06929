// SPDX-License-Identifier: Apache-2.0
// After each test nothing is left that its process owned: no BPF object, network namespace, mount, child process or
// temporary file. Linked as an object library: the registration below is all that a test program needs.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <map>
#include <string>

namespace sonde::test {
namespace {

namespace fs = std::filesystem;
using Owned = std::map<std::string, int>;

// "anon_inode:bpf-prog", "net:[4026532000]", "/dev/net/tun": descriptors that keep something alive in the kernel.
bool keeps_something(const std::string& target) {
  static constexpr std::array kinds = {"anon_inode:bpf", "anon_inode:[perf_event]", "net:[", "/dev/net/tun"};
  return std::ranges::any_of(kinds, [&](const char* kind) { return target.starts_with(kind); });
}

void add_descriptors(Owned& owned) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd", error)) {
    const auto target = fs::read_symlink(entry.path(), error).string();
    if (!error && keeps_something(target)) ++owned[target];
  }
}

void add_temporary_files(Owned& owned) {
  const auto pid = "-" + std::to_string(::getpid());
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(fs::temp_directory_path(), error)) {
    const auto name = entry.path().filename().string();
    const auto at = name.find(pid);
    if (name.starts_with("sonde-") && at != std::string::npos &&
        (at + pid.size() == name.size() || name[at + pid.size()] == '-'))
      ++owned[entry.path()];
  }
}

Owned owned_now() {
  Owned owned;
  add_descriptors(owned);
  add_temporary_files(owned);
  return owned;
}

// Proxies leave it, with empty folders of the wire, which they may not remove any more. What is not empty stays.
constexpr const char* folder_of_proxies = "/sys/fs/bpf/sonde-proxy";

void remove_folder_of_proxies() {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder_of_proxies, error)) ::rmdir(entry.path().c_str());
  ::rmdir(folder_of_proxies);
}

class Leftovers : public testing::EmptyTestEventListener {
 public:
  void OnTestStart(const testing::TestInfo&) override {
    before_ = owned_now();
    had_folder_ = ::access(folder_of_proxies, F_OK) == 0;
  }

  void OnTestEnd(const testing::TestInfo&) override {
    if (!had_folder_) remove_folder_of_proxies();
    EXPECT_EQ(owned_now(), before_) << "left behind";
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child process is left";
  }

 private:
  Owned before_;
  bool had_folder_ = false;
};

class Register : public testing::Environment {
 public:
  // Behind the listener that prints: the ends of tests are told in reverse order, so what is found here is printed.
  // NOLINTNEXTLINE(cppcoreguidelines-owning-memory): GoogleTest deletes it
  void SetUp() override { testing::UnitTest::GetInstance()->listeners().Append(new Leftovers); }
};

// NOLINTNEXTLINE(cppcoreguidelines-owning-memory): GoogleTest deletes it
[[maybe_unused]] const auto* const registered = testing::AddGlobalTestEnvironment(new Register);

}  // namespace
}  // namespace sonde::test
