// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <vector>

#include "actuators/proxy/wire/attachment.hpp"
#include "base/fd.hpp"

namespace sonde::proxy {
namespace {

// Of the network namespace of the calling thread.
const std::string ipv4 = "/proc/sys/net/ipv4/conf/lo/forwarding";
const std::string ipv6_interfaces = "/proc/sys/net/ipv6/conf";
const std::string ipv6 = ipv6_interfaces + "/lo/forwarding";

Result<int> read_setting(const std::string& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char digit = 0;
  if (!file || ::read(file.get(), &digit, 1) != 1) return fail_errno("cannot read " + path);
  return digit - '0';
}

Result<void> write_setting(const std::string& path, int value) {
  const Fd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  const char digit = static_cast<char>('0' + value);
  if (!file || ::write(file.get(), &digit, 1) != 1)
    return fail_errno("cannot write " + path, "write 1 to it where it may be written");
  return {};
}

// While this lives, interfaces keep the routes that routers have announced (RFC 4861). Whoever writes 1 to `forwarding`
// of any one interface makes the kernel remove those of every interface whose accept_ra is not 2
// (rt6_purge_dflt_routers in net/ipv6/route.c): a host that has its default route so would lose it.
class KeepAnnouncedRoutes {
 public:
  KeepAnnouncedRoutes() {
    std::error_code error;
    for (const auto& folder : std::filesystem::directory_iterator(ipv6_interfaces, error)) {
      const auto path = folder.path().string() + "/accept_ra";
      const auto value = read_setting(path);
      if (value && *value == 1 && write_setting(path, 2)) changed_.push_back(path);
    }
  }
  KeepAnnouncedRoutes(const KeepAnnouncedRoutes&) = delete;
  KeepAnnouncedRoutes& operator=(const KeepAnnouncedRoutes&) = delete;
  ~KeepAnnouncedRoutes() {
    for (const auto& path : changed_) (void)write_setting(path, 1);
  }

 private:
  std::vector<std::string> changed_;
};

}  // namespace

Result<void> allow_route_lookup() {
  const auto now = read_setting(ipv4);
  if (!now) return std::unexpected(now.error());
  if (*now != 1)
    if (auto written = write_setting(ipv4, 1); !written) return written;
  const auto now_ipv6 = read_setting(ipv6);
  if (!now_ipv6 && now_ipv6.error().code == ENOENT) return {};  // a kernel without IPv6
  if (!now_ipv6) return std::unexpected(now_ipv6.error());
  if (*now_ipv6 == 1) return {};
  const KeepAnnouncedRoutes keep;
  return write_setting(ipv6, 1);
}

}  // namespace sonde::proxy
