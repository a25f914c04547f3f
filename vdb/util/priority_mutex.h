// A mutex of which one class of callers, background work, lets all others go first, and sees that they wait.
//
// Threads of a high niceness may hold a lock for long while processors are busy: who waits for them waits as nicely. So
// background work looks at IsWanted now and then while it holds the lock, and puts off what it can.
// Thread safety: safe from any thread.
#ifndef VDB_UTIL_PRIORITY_MUTEX_H_
#define VDB_UTIL_PRIORITY_MUTEX_H_

#include <atomic>

#include "vdb/util/mutex.h"
#include "vdb/util/sync_point.h"

namespace vdb {

class ABSL_LOCKABLE PriorityMutex {
 public:
  PriorityMutex() = default;
  PriorityMutex(const PriorityMutex&) = delete;
  PriorityMutex& operator=(const PriorityMutex&) = delete;

  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() {
    waiting_.fetch_add(1, std::memory_order_acq_rel);
    SyncPoints::Reached("priority_mutex.wanted");
    mutex_.Lock();
    if (waiting_.fetch_sub(1, std::memory_order_acq_rel) == 1) waiting_.notify_all();
  }
  // For background work. A mutex alone would not do: whoever has just unlocked it is faster than who has to wake up.
  void LockLast() ABSL_EXCLUSIVE_LOCK_FUNCTION() {
    for (int waiting = waiting_.load(std::memory_order_acquire); waiting > 0;
         waiting = waiting_.load(std::memory_order_acquire)) {
      waiting_.wait(waiting, std::memory_order_acquire);
    }
    mutex_.Lock();
  }
  void Unlock() ABSL_UNLOCK_FUNCTION() { mutex_.Unlock(); }

  // Whether somebody waits in Lock.
  bool IsWanted() const { return waiting_.load(std::memory_order_relaxed) > 0; }

 private:
  Mutex mutex_;
  std::atomic<int> waiting_{0};
};

class ABSL_SCOPED_LOCKABLE PriorityLock {
 public:
  explicit PriorityLock(PriorityMutex* mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : mutex_(mutex) { mutex_->Lock(); }
  ~PriorityLock() ABSL_UNLOCK_FUNCTION() { mutex_->Unlock(); }
  PriorityLock(const PriorityLock&) = delete;
  PriorityLock& operator=(const PriorityLock&) = delete;

 private:
  PriorityMutex* const mutex_;
};

class ABSL_SCOPED_LOCKABLE LastLock {
 public:
  explicit LastLock(PriorityMutex* mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : mutex_(mutex) { mutex_->LockLast(); }
  ~LastLock() ABSL_UNLOCK_FUNCTION() { mutex_->Unlock(); }
  LastLock(const LastLock&) = delete;
  LastLock& operator=(const LastLock&) = delete;

 private:
  PriorityMutex* const mutex_;
};

}  // namespace vdb

#endif  // VDB_UTIL_PRIORITY_MUTEX_H_
