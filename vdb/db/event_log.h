// The last events of a database, until somebody asks for them.
//
// Thread safety: safe from any thread.
#ifndef VDB_DB_EVENT_LOG_H_
#define VDB_DB_EVENT_LOG_H_

#include <vdb/events.h>

#include <cstddef>
#include <deque>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "vdb/util/mutex.h"

namespace vdb {

class EventLog {
 public:
  static constexpr std::size_t kCapacity = 1'000;

  void Add(EventLevel level, std::string text) {
    MutexLock lock(&mutex_);
    if (events_.size() == kCapacity) events_.pop_front();
    events_.push_back({++last_, std::chrono::system_clock::now(), level, std::move(text)});
  }

  // Takes them out, oldest first.
  std::vector<Event> Drain() {
    MutexLock lock(&mutex_);
    std::vector<Event> events(std::make_move_iterator(events_.begin()), std::make_move_iterator(events_.end()));
    events_.clear();
    return events;
  }

 private:
  Mutex mutex_;
  std::deque<Event> events_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t last_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace vdb

#endif  // VDB_DB_EVENT_LOG_H_
