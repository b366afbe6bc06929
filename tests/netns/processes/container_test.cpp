// SPDX-License-Identifier: Apache-2.0
// Containers of runc, named by their ids. Their file system is an empty folder with the host's /usr in it.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "child.hpp"
#include "harness/command.hpp"

namespace sonde::test {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

class Bundle {
 public:
  explicit Bundle(const std::vector<std::string>& arguments) {
    static int number = 0;
    folder_ =
        fs::temp_directory_path() / ("sonde-bundle-" + std::to_string(::getpid()) + "-" + std::to_string(++number));
    fs::create_directories(folder_ / "rootfs" / "usr");
    for (const auto* name : {"bin", "lib", "lib64"})
      fs::create_symlink("usr/" + std::string(name), folder_ / "rootfs" / name);
    run("cd " + folder_.string() + " && runc spec");
    auto config = Json::parse(std::ifstream(config_path()));
    config["process"]["terminal"] = false;
    config["process"]["args"] = arguments;
    config["mounts"].push_back(
        {{"destination", "/usr"}, {"type", "none"}, {"source", "/usr"}, {"options", {"rbind", "ro"}}});
    std::ofstream(config_path()) << config;
  }
  Bundle(const Bundle&) = delete;
  Bundle& operator=(const Bundle&) = delete;
  ~Bundle() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  // Runs it under an id, and gives the pid of its first process.
  [[nodiscard]] std::uint32_t run_as(const std::string& id, const std::string& options = "") const {
    const auto pid_file = (folder_ / "pid").string();
    run("runc run --bundle " + folder_.string() + " --pid-file " + pid_file + " " + options + " " + id +
        " </dev/null >" + (folder_ / "output").string() + " 2>&1");
    std::uint32_t pid = 0;
    std::ifstream(pid_file) >> pid;
    return pid;
  }

 private:
  [[nodiscard]] fs::path config_path() const { return folder_ / "config.json"; }
  fs::path folder_;
};

std::string unique_word() { return "sonde-test-" + std::to_string(::getpid()); }

std::string unique_hex() {
  auto id = std::to_string(::getpid());
  id.resize(64, 'a');
  return id;
}

struct Removal {
  std::string id;
  ~Removal() { run("runc delete --force " + id); }
};

TEST(ContainerProcesses, ARunningOneIsNamedByItsId) {
  const Bundle bundle({"/bin/sleep", "100"});
  const auto id = unique_word();
  Watch watch;
  const auto pid = bundle.run_as(id, "--detach");
  const Removal removal{id};
  EXPECT_EQ(std::to_string(pid), split(run("runc state " + id + " | jq .pid"), '\n')[0]);
  const auto process = watch.see(pid);
  ASSERT_TRUE(process->container) << process->cgroup;
  EXPECT_EQ(process->container->runtime, "runc");
  EXPECT_EQ(process->container->id, id);
  EXPECT_EQ(process->comm, "sleep");
}

TEST(ContainerProcesses, OneThatRanBeforeIsReadFromProc) {
  const Bundle bundle({"/bin/sleep", "100"});
  const auto id = unique_word();
  const auto pid = bundle.run_as(id, "--detach");
  const Removal removal{id};
  enrich::ProcessTable table;
  table.scan();
  const auto process = table.latest(pid);
  ASSERT_TRUE(process && process->container);
  EXPECT_EQ(process->container->id, id);
}

TEST(ContainerProcesses, OneThatIsGoneIsNamedByItsId) {
  const Bundle bundle({"/bin/true", "in the container"});
  const auto id = unique_hex();
  Watch watch;
  const auto pid = bundle.run_as(id);
  ASSERT_FALSE(fs::exists("/run/runc/" + id));
  const auto process = watch.see(pid);
  ASSERT_TRUE(process->container) << process->cgroup;
  EXPECT_EQ(process->container->id, id);
  EXPECT_EQ(process->command_line, (std::vector<std::string>{"/bin/true", "in the container"}));
  EXPECT_TRUE(process->exited);
}

}  // namespace
}  // namespace sonde::test
