// SPDX-License-Identifier: Apache-2.0
// Link types of capture files, brought into the two that sonde knows.
//
//   ETHERNET                     as it is
//   RAW, IPV4, IPV6              bare IP
//   NULL, LOOP                   the four bytes of address family are left out: bare IP
//   LINUX_SLL, LINUX_SLL2        the cooked header is replaced by an Ethernet header: destination 00:00:00:00:00:00
//                                (the file does not hold it), source and EtherType from the cooked header. So ARP and
//                                VLAN tags are seen as on the wire. Direction out where the packet type says outgoing.
#pragma once
#include <cstdint>
#include <string>

#include "replay/interfaces.hpp"
#include "replay/record.hpp"

namespace sonde::replay {

struct LinkConversion {
  std::uint32_t number;  ///< LINKTYPE_, https://www.tcpdump.org/linktypes.html
  LinkType link;         ///< what the bytes are after convert()
  void (*convert)(Record& record);
};

/// nullptr: not supported.
[[nodiscard]] const LinkConversion* find_link(std::uint32_t number);

/// "220 (USB_LINUX_MMAPPED)".
[[nodiscard]] std::string link_text(std::uint32_t number);

/// The interface number N that each packet of a LINUX_SLL2 capture carries; 0 if the header is cut.
[[nodiscard]] std::uint32_t cooked_interface(const Record& record);

inline constexpr std::uint32_t linktype_linux_sll2 = 276;

}  // namespace sonde::replay
