// SPDX-License-Identifier: Apache-2.0
// The records of the processes programs: their layout, and what the table is told of them.
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <memory>

#include "enrich/process/proc_reader.hpp"
#include "sensors/processes/decode.hpp"
#include "sensors/processes/processes.abi.h"

extern "C" {
extern const std::uint8_t sonde_processes_bpf_object[];
extern const std::uint8_t sonde_processes_bpf_object_end[];
}

namespace sonde::processes {
namespace {

using Bytes = std::vector<std::uint8_t>;

struct Member {
  const char* name;
  std::size_t offset;
};

void compare(const btf* types, const char* name, std::size_t size, const std::vector<Member>& members) {
  SCOPED_TRACE(name);
  const int id = btf__find_by_name_kind(types, name, BTF_KIND_STRUCT);
  ASSERT_GT(id, 0);
  const auto* type = btf__type_by_id(types, static_cast<__u32>(id));
  EXPECT_EQ(type->size, size);
  ASSERT_EQ(btf_vlen(type), members.size());
  for (unsigned i = 0; i < members.size(); ++i) {
    EXPECT_STREQ(btf__name_by_offset(types, btf_members(type)[i].name_off), members[i].name);
    EXPECT_EQ(btf_member_bit_offset(type, i), 8 * members[i].offset) << members[i].name;
  }
}

TEST(ProcessRecords, HaveOneLayout) {
  const auto size = static_cast<std::size_t>(sonde_processes_bpf_object_end - sonde_processes_bpf_object);
  const std::unique_ptr<bpf_object, decltype(&bpf_object__close)> object(
      bpf_object__open_mem(sonde_processes_bpf_object, size, nullptr), &bpf_object__close);
  ASSERT_NE(object, nullptr);
  const auto* types = bpf_object__btf(object.get());
  using P = sonde_process_event;
  compare(types, "sonde_process_event", sizeof(P),
          {{"header", offsetof(P, header)},
           {"start_time_ns", offsetof(P, start_time_ns)},
           {"maker_start_time_ns", offsetof(P, maker_start_time_ns)},
           {"pid", offsetof(P, pid)},
           {"parent_pid", offsetof(P, parent_pid)},
           {"maker_pid", offsetof(P, maker_pid)},
           {"change", offsetof(P, change)}});
  using E = sonde_process_exec;
  compare(types, "sonde_process_exec", sizeof(E),
          {{"event", offsetof(E, event)},
           {"uid", offsetof(E, uid)},
           {"network_namespace", offsetof(E, network_namespace)},
           {"arguments_size", offsetof(E, arguments_size)},
           {"arguments_cut", offsetof(E, arguments_cut)},
           {"cgroup_whole", offsetof(E, cgroup_whole)},
           {"cgroup_v1_whole", offsetof(E, cgroup_v1_whole)},
           {"reserved", offsetof(E, reserved)},
           {"comm", offsetof(E, comm)},
           {"executable", offsetof(E, executable)},
           {"cgroup", offsetof(E, cgroup)},
           {"cgroup_v1", offsetof(E, cgroup_v1)}});
  EXPECT_EQ(offsetof(P, header), 0U);
  EXPECT_EQ(offsetof(E, event), 0U);
}

sonde_process_exec exec_record() {
  sonde_process_exec record{};
  record.event.header.type = SONDE_EVENT_PROCESS;
  record.event.change = SONDE_PROCESS_EXECUTED;
  record.event.pid = 4'000'001;  // no process of this host
  record.event.start_time_ns = 70'000'000;
  return record;
}

Bytes bytes_of(sonde_process_exec record, const std::string& arguments) {
  record.arguments_size = static_cast<std::uint16_t>(arguments.size());
  Bytes bytes(sizeof(record) + arguments.size());
  std::memcpy(bytes.data(), &record, sizeof(record));
  std::memcpy(bytes.data() + sizeof(record), arguments.data(), arguments.size());
  return bytes;
}

TEST(ProcessRecords, PutTheCgroupsNamesInOrder) {
  using namespace std::string_literals;
  enrich::ProcessTable table;
  auto record = exec_record();
  std::memcpy(record.cgroup, "leaf\0parent\0", 12);
  ASSERT_TRUE(tell(table, bytes_of(record, "a\0b\0"s)));
  EXPECT_EQ(table.latest(4'000'001)->cgroup, "parent/leaf");
  EXPECT_EQ(table.latest(4'000'001)->command_line, (std::vector<std::string>{"a", "b"}));
  record.cgroup_whole = 1;
  ASSERT_TRUE(tell(table, bytes_of(record, "")));
  EXPECT_EQ(table.latest(4'000'001)->cgroup, "/parent/leaf");
  std::memcpy(record.cgroup_v1, "v1.service\0", 11);
  ASSERT_TRUE(tell(table, bytes_of(record, "")));
  EXPECT_EQ(table.latest(4'000'001)->cgroup, "v1.service");
}

TEST(ProcessRecords, SurviveFullFields) {
  enrich::ProcessTable table;
  auto record = exec_record();
  std::memset(record.comm, 'c', sizeof(record.comm));
  std::memset(record.executable, 'e', sizeof(record.executable));
  std::memset(record.cgroup, 'g', sizeof(record.cgroup));
  ASSERT_TRUE(tell(table, bytes_of(record, std::string(SONDE_ARGUMENTS_LARGE, 'a'))));
  EXPECT_EQ(table.latest(4'000'001)->comm.size(), sizeof(record.comm));
}

TEST(ProcessRecords, ThatAreNoneAreRefused) {
  enrich::ProcessTable table;
  const auto whole = bytes_of(exec_record(), "abc");
  ASSERT_TRUE(tell(table, whole));
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(tell(table, Bytes(whole.begin(), whole.begin() + static_cast<long>(size)))) << size;
  auto other = exec_record();
  other.event.header.type = SONDE_EVENT_PACKET;
  EXPECT_FALSE(tell(table, bytes_of(other, "")));
  other = exec_record();
  other.event.change = 9;
  EXPECT_FALSE(tell(table, bytes_of(other, "")));
  EXPECT_EQ(table.size(), 1U);
}

}  // namespace
}  // namespace sonde::processes
