// SPDX-License-Identifier: Apache-2.0
// The little of rtnetlink(7) that sonde needs: dump requests and their answers.
#pragma once
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <functional>
#include <span>

#include "base/fd.hpp"
#include "sonde/result.hpp"

namespace sonde::kernel {

/// An rtnetlink socket bound to the multicast groups (RTMGRP_ bits).
[[nodiscard]] Result<Fd> open_rtnetlink(std::uint32_t groups = 0);

/// Sends `request` (header filled but for flags and sequence) as a dump and calls `message` for each answer.
Result<void> dump(int socket, std::span<std::uint8_t> request, const std::function<void(const nlmsghdr&)>& message);

/// Sends the request and waits for the acknowledgement; the error is the kernel's.
Result<void> request(int socket, std::span<std::uint8_t> message);

/// Calls `message` for each message that waits on the socket; never blocks.
Result<void> receive_waiting(int socket, const std::function<void(const nlmsghdr&)>& message);

/// Attributes of a message behind its fixed part of `fixed` bytes.
void for_each_attribute(const nlmsghdr& message, std::size_t fixed,
                        const std::function<void(const rtattr&)>& attribute);

}  // namespace sonde::kernel
