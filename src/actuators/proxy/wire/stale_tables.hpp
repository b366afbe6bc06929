// SPDX-License-Identifier: Apache-2.0
// Pins outlive a network namespace whose proxy was killed; nobody would find them again.
#pragma once
#include <string>

namespace sonde::proxy {

/// Removes tables beside `own`, folders of one parent, that nobody keeps and that were not opened in the last minute,
/// if all interfaces that their links were on are gone; where there are no links, if they hold no connection. Whoever
/// opens a table waits meanwhile: the parent's lock is held by the caller.
void remove_stale_tables(const std::string& own);
/// Says that it was opened now.
void touch_table(int folder_fd);

}  // namespace sonde::proxy
