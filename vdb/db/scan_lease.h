// A scan's hold on the state that it reads. The collection takes it back from a scan that has been under way for too
// long while dead records wait to be removed.
//
// Thread safety: safe from any thread. Ownership: by the scanner; the collection knows it weakly.
#ifndef VDB_DB_SCAN_LEASE_H_
#define VDB_DB_SCAN_LEASE_H_

#include <vdb/status.h>

#include <chrono>
#include <memory>
#include <utility>

#include "vdb/db/view.h"
#include "vdb/util/mutex.h"
#include "vdb/util/steady_time.h"

namespace vdb {

// After this long a scan keeps nobody waiting any more.
inline constexpr std::chrono::seconds kMaxScanAge = std::chrono::hours(1);

class ScanLease {
 public:
  explicit ScanLease(Snapshot snapshot) : snapshot_(std::move(snapshot)), begun_(SteadyTime::Now()) {}

  // The snapshot for one call: the state cannot be purged as long as the copy lives. Aborted once it was taken back.
  Result<Snapshot> Use() const {
    MutexLock lock(&mutex_);
    if (snapshot_.view != nullptr) return snapshot_;
    return AbortedError(
        "the scan has been under way for more than an hour while deleted records waited to be removed, and was given "
        "up so that they can be; begin it again, and read faster or in parts (by id prefix or filter)");
  }

  // Takes the snapshot back if it is old and not of `current`, which readers that come now get; unless a purge waits,
  // only if it is of another generation.
  void EndIfOld(const std::shared_ptr<const View>& current, bool for_purge) {
    if (Age() < kMaxScanAge) return;
    MutexLock lock(&mutex_);
    if (snapshot_.view == nullptr || snapshot_.view == current) return;
    const bool is_replaced = !(snapshot_.view->generation->key == current->generation->key);
    if (for_purge || is_replaced) snapshot_.view.reset();
  }

  bool is_held() const {
    MutexLock lock(&mutex_);
    return snapshot_.view != nullptr;
  }
  std::chrono::seconds Age() const {
    return std::chrono::duration_cast<std::chrono::seconds>(SteadyTime::Now() - begun_);
  }

 private:
  mutable Mutex mutex_;
  Snapshot snapshot_ ABSL_GUARDED_BY(mutex_);
  const SteadyTime::TimePoint begun_;
};

}  // namespace vdb

#endif  // VDB_DB_SCAN_LEASE_H_
