// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "enrich/process/cgroup_path.hpp"
#include "enrich/process/process_table.hpp"
#include "harness/command.hpp"

namespace sonde::enrich {
namespace {

// A cgroup v2 below the root of the hierarchy.
class Cgroup {
 public:
  explicit Cgroup(const std::string& name)
      : path_(test::split(test::run("findmnt --noheadings --first-only --types cgroup2 --output TARGET"), '\n')[0] +
              "/" + name) {
    std::filesystem::create_directory(path_);
  }
  Cgroup(const Cgroup&) = delete;
  Cgroup& operator=(const Cgroup&) = delete;
  ~Cgroup() { remove(); }

  void remove() const { ::rmdir(path_.c_str()); }
  // The id is the inode number.
  [[nodiscard]] std::uint64_t id() const {
    struct stat info {};
    ::stat(path_.c_str(), &info);
    return info.st_ino;
  }

 private:
  std::string path_;
};

std::string unique_unit() { return "sonde-test-" + std::to_string(::getpid()) + ".service"; }

TEST(CgroupPaths, AreFoundById) {
  const CgroupPaths paths("/proc");
  const Cgroup cgroup(unique_unit());
  const auto id = cgroup.id();
  EXPECT_EQ(paths.path_of(id), "/" + unique_unit());
  EXPECT_EQ(paths.path_of(1), "/");
  EXPECT_EQ(paths.path_of(0), "");
  cgroup.remove();
  EXPECT_EQ(paths.path_of(id), "");
}

TEST(CgroupPaths, NameTheUnitOfAProcessThatIsGone) {
  const Cgroup cgroup(unique_unit());
  sonde_task task{};
  task.pid = task.tid = static_cast<std::uint32_t>(::getpid());
  task.start_time_ns = 1;  // of another process that had this number
  task.cgroup_id = cgroup.id();
  ProcessTable table;
  const auto process = table.find(task);
  EXPECT_TRUE(process->exited);
  EXPECT_EQ(process->cgroup, "/" + unique_unit());
  ASSERT_TRUE(process->container);
  EXPECT_EQ(process->container->id, unique_unit());
}

}  // namespace
}  // namespace sonde::enrich
