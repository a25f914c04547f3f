#include "vdb/util/thread_pool.h"

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <utility>

namespace vdb {
namespace {

// One ParallelFor: helpers that start late find no range left and only drop their reference.
struct Loop {
  std::atomic<std::size_t> next{0};
  std::size_t count = 0;
  std::size_t grain = 1;
  const std::function<void(std::size_t, std::size_t)>* body = nullptr;  // valid while ranges are left
  Mutex mutex;
  CondVar done_changed;
  std::size_t done ABSL_GUARDED_BY(mutex) = 0;

  void Run() {
    for (;;) {
      const std::size_t begin = next.fetch_add(grain, std::memory_order_relaxed);
      if (begin >= count) return;
      const std::size_t end = std::min(count, begin + grain);
      (*body)(begin, end);
      MutexLock lock(&mutex);
      done += end - begin;
      if (done == count) done_changed.NotifyAll();
    }
  }
};

}  // namespace

ThreadPool::ThreadPool(std::size_t threads, int niceness) {
  threads_.reserve(threads);
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this, niceness] { Work(niceness); });
}

ThreadPool::~ThreadPool() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
  }
  wake_.NotifyAll();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::Post(std::function<void()> task) {
  {
    MutexLock lock(&mutex_);
    tasks_.push_back(std::move(task));
  }
  wake_.NotifyOne();
}

void ThreadPool::ParallelFor(std::size_t count, std::size_t grain,
                             const std::function<void(std::size_t, std::size_t)>& body) {
  if (count == 0) return;
  const std::size_t ranges = (count + grain - 1) / grain;
  if (ranges == 1) {
    body(0, count);
    return;
  }
  auto loop = std::make_shared<Loop>();
  loop->count = count;
  loop->grain = grain;
  loop->body = &body;
  for (std::size_t i = 0; i < std::min(size(), ranges - 1); ++i) Post([loop] { loop->Run(); });
  loop->Run();
  MutexLock lock(&loop->mutex);
  while (loop->done < loop->count) loop->done_changed.Wait(&loop->mutex);
}

void ThreadPool::Work(int niceness) {
  // On Linux 0 is this thread, not the process. It may only become nicer; where it may not, it is not.
  if (niceness > 0) static_cast<void>(::setpriority(PRIO_PROCESS, 0, niceness));
  for (;;) {
    std::function<void()> task;
    {
      MutexLock lock(&mutex_);
      while (tasks_.empty() && !stopping_) wake_.Wait(&mutex_);
      if (tasks_.empty()) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
}

}  // namespace vdb
