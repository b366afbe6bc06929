// SPDX-License-Identifier: Apache-2.0
#include "layout.hpp"

#include <bpf/libbpf.h>
#include <gtest/gtest.h>

#include <memory>

namespace sonde::test {

void compare(const btf* types, const Layout& layout) {
  SCOPED_TRACE(layout.name);
  EXPECT_TRUE(layout.no_padding) << "hidden padding";
  const int id = btf__find_by_name_kind(types, layout.name.c_str(), BTF_KIND_STRUCT);
  ASSERT_GT(id, 0) << "not in the object's BTF";
  const auto* type = btf__type_by_id(types, static_cast<__u32>(id));
  EXPECT_EQ(type->size, layout.size);
  ASSERT_EQ(btf_vlen(type), layout.members.size()) << "a member is missing here or there";
  for (unsigned i = 0; i < btf_vlen(type); ++i) {
    const auto& member = btf_members(type)[i];
    const std::string name = btf__name_by_offset(types, member.name_off);
    ASSERT_TRUE(layout.members.contains(name)) << name;
    EXPECT_EQ(btf_member_bit_offset(type, i), 8 * layout.members.at(name).offset) << name;
    EXPECT_EQ(btf__resolve_size(types, member.type), static_cast<__s64>(layout.members.at(name).size)) << name;
  }
}

void compare(Elf elf, const std::vector<Layout>& layouts) {
  const std::unique_ptr<bpf_object, decltype(&bpf_object__close)> object(
      bpf_object__open_mem(elf.data(), elf.size(), nullptr), &bpf_object__close);
  ASSERT_NE(object, nullptr);
  const auto* types = bpf_object__btf(object.get());
  ASSERT_NE(types, nullptr);
  for (const auto& layout : layouts) compare(types, layout);
}

}  // namespace sonde::test
