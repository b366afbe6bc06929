// SPDX-License-Identifier: Apache-2.0
#include "sensors/afpacket/packet_socket.hpp"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/membarrier.h>
#include <net/if_arp.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <span>
#include <thread>

namespace sonde::afpacket {
namespace {

constexpr std::uint32_t whole_packet = 0xffffffff;

// An ancillary word of the packet instead of its bytes (SKF_AD_OFF).
constexpr sock_filter load_ancillary(int what) {
  return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(SKF_AD_OFF + what));
}

Result<void> attach(int fd, std::span<const sock_filter> code) {
  const sock_fprog program{.len = static_cast<unsigned short>(code.size()),
                           .filter = const_cast<sock_filter*>(code.data())};
  if (::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0) return {};
  return fail_errno("cannot attach a filter to the packet socket");
}

Result<void> reject_all(int fd) {
  constexpr std::array code = {sock_filter BPF_STMT(BPF_RET | BPF_K, 0)};
  return attach(fd, code);
}

int open_packet_socket() { return ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }

}  // namespace

Result<PacketSocket> PacketSocket::make() {
  PacketSocket result;
  result.fd_.reset(open_packet_socket());  // protocol 0: not hooked in before bind()
  if (!result.fd_) {
    return fail_errno("cannot open an AF_PACKET socket", errno == EPERM ? "run as root or with CAP_NET_RAW" : "");
  }
  auto rejected = reject_all(result.fd());
  if (!rejected) return std::unexpected(rejected.error());
  return result;
}

Result<void> PacketSocket::bind(int ifindex) {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = ifindex;
  if (::bind(fd(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) return {};
  return fail_errno("cannot bind the packet socket");
}

Result<void> PacketSocket::set_promiscuous(int ifindex) {
  packet_mreq request{};
  request.mr_ifindex = ifindex;
  request.mr_type = PACKET_MR_PROMISC;
  if (::setsockopt(fd(), SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof(request)) == 0) return {};
  return fail_errno("cannot set promiscuous mode");
}

// The kernel picks the number of a new group, so that no foreign socket's group is joined by accident.
Result<std::uint16_t> PacketSocket::join_fanout(std::optional<std::uint16_t> group) {
  constexpr int fanout_unique_id = 0x2000;  // PACKET_FANOUT_FLAG_UNIQUEID, Linux 4.12
  const int mode = PACKET_FANOUT_HASH | (group ? 0 : fanout_unique_id);
  const int request = group.value_or(0) | mode << 16;
  if (::setsockopt(fd(), SOL_PACKET, PACKET_FANOUT, &request, sizeof(request)) != 0) {
    return fail_errno("cannot join a packet fanout group", "use --workers 1");
  }
  int answer = 0;
  socklen_t size = sizeof(answer);
  if (::getsockopt(fd(), SOL_PACKET, PACKET_FANOUT, &answer, &size) != 0) {
    return fail_errno("cannot read the packet fanout group");
  }
  return static_cast<std::uint16_t>(answer);
}

Result<void> PacketSocket::accept(LoopbackCopy copy) {
  const bool sent = copy == LoopbackCopy::sent;
  const std::array code = {
      load_ancillary(SKF_AD_HATYPE),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARPHRD_LOOPBACK, 0, 2),
      load_ancillary(SKF_AD_PKTTYPE),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, static_cast<__u8>(sent ? 0 : 1),
                           static_cast<__u8>(sent ? 1 : 0)),
      sock_filter BPF_STMT(BPF_RET | BPF_K, whole_packet),
      sock_filter BPF_STMT(BPF_RET | BPF_K, 0),
  };
  return attach(fd(), code);
}

Result<void> PacketSocket::reject() { return reject_all(fd()); }

SocketCounts PacketSocket::counts() {
  tpacket_stats_v3 since{};
  socklen_t size = sizeof(since);
  if (::getsockopt(fd(), SOL_PACKET, PACKET_STATISTICS, &since, &size) == 0) {
    counts_.packets += since.tp_packets;
    counts_.drops += since.tp_drops;
  }
  return counts_;
}

int PacketSocket::take_error() {
  int error = 0;
  socklen_t size = sizeof(error);
  return ::getsockopt(fd(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : 0;
}

// Packets are delivered inside RCU read-side sections: after a grace period none uses the old filter. Where the kernel
// refuses membarrier (nohz_full), a pause far longer than a delivery has to do.
void wait_for_deliveries() {
  if (::syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0) return;
  std::this_thread::sleep_for(std::chrono::milliseconds{50});
}

}  // namespace sonde::afpacket
