// Ids that the commit under way is changing, with the slots that readers still see: what lets Get answer between the
// store's write and the clock, without waiting.
//
// Thread safety: safe from any thread; a short lock.
#ifndef VDB_DB_IN_FLIGHT_H_
#define VDB_DB_IN_FLIGHT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "vdb/storage/keys.h"
#include "vdb/util/mutex.h"

namespace vdb {

class InFlightIds {
 public:
  // Key of an id within the database.
  static std::string MakeKey(storage::GenerationKey key, std::string_view id) { return storage::IdKey(key, id); }

  using Slots = absl::flat_hash_map<std::string, std::optional<std::uint32_t>>;

  // Before the store's write: each changed id with its slot before the commit (none: it did not exist).
  void Publish(Slots slots) {
    MutexLock lock(&mutex_);
    slots_ = std::move(slots);
  }

  // After the clock.
  void Withdraw() { Publish({}); }

  // The slot before the commit under way, if that commit changes the id.
  std::optional<std::optional<std::uint32_t>> Find(storage::GenerationKey key, std::string_view id) const {
    MutexLock lock(&mutex_);
    if (slots_.empty()) return std::nullopt;
    const auto found = slots_.find(MakeKey(key, id));
    if (found == slots_.end()) return std::nullopt;
    return found->second;
  }

 private:
  mutable Mutex mutex_;
  Slots slots_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace vdb

#endif  // VDB_DB_IN_FLIGHT_H_
