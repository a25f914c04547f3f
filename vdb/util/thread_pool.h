// A fixed set of threads that run posted tasks, and a parallel loop on which the caller works too.
//
// Thread safety: every function is safe from any thread, tasks included.
// Ownership: tasks are owned by the pool until they have run; the destructor runs what was posted, then joins.
#ifndef VDB_UTIL_THREAD_POOL_H_
#define VDB_UTIL_THREAD_POOL_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "vdb/util/mutex.h"

namespace vdb {

class ThreadPool {
 public:
  // threads >= 1. Niceness is that of setpriority(2), in [0, 19]: threads of 19 take what the others leave.
  explicit ThreadPool(std::size_t threads, int niceness = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Runs task on one of the threads, after those posted before it have begun. Tasks must not throw.
  void Post(std::function<void()> task);

  // Calls body(begin, end) over disjoint ranges of at most `grain` indices that together cover [0, count), on the
  // calling thread and on idle pool threads; returns when all are done. The caller takes part, so a loop inside a task
  // always makes progress. body must not throw. The order of ranges is not determined.
  void ParallelFor(std::size_t count, std::size_t grain, const std::function<void(std::size_t, std::size_t)>& body);

  std::size_t size() const { return threads_.size(); }

 private:
  void Work(int niceness);

  Mutex mutex_;
  CondVar wake_;
  std::deque<std::function<void()>> tasks_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;  // constant after construction
};

}  // namespace vdb

#endif  // VDB_UTIL_THREAD_POOL_H_
