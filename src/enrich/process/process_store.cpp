// SPDX-License-Identifier: Apache-2.0
#include "enrich/process/process_store.hpp"

#include <utility>

namespace sonde::enrich {

StoreEntry& ProcessStore::insert(const StoreKey& key, std::shared_ptr<const Process> process) {
  make_room();
  StoreEntry entry;
  entry.process = std::move(process);
  entry.place = running_.insert(running_.end(), key);
  return entries_.emplace(key, std::move(entry)).first->second;
}

void ProcessStore::erase(const StoreKey& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  (found->second.exited ? exited_ : running_).erase(found->second.place);
  entries_.erase(found);
}

void ProcessStore::mark_exited(const StoreKey& key) {
  StoreEntry* entry = find(key);
  if (entry == nullptr || entry->exited) return;
  exited_.splice(exited_.end(), running_, entry->place);
  entry->exited = true;
  auto process = std::make_shared<Process>(*entry->process);
  process->exited = true;
  entry->process = std::move(process);
}

void ProcessStore::make_room() {
  while (!entries_.empty() && entries_.size() >= capacity_) {
    const StoreKey oldest = exited_.empty() ? running_.front() : exited_.front();
    erase(oldest);
    ++evicted_;
  }
}

}  // namespace sonde::enrich
