// Named places in the code (vdb/util/sync_point.h) as tests use them: to stop a thread there, or to wait until one has
// come by. No sleeps.
//
// Thread safety: safe from any thread. Ownership: what a handler touches lives as long as the handler, so a background
// thread may still be in it when the test has ended.
#ifndef VDB_TESTS_DB_GATE_H_
#define VDB_TESTS_DB_GATE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "vdb/util/mutex.h"
#include "vdb/util/sync_point.h"

namespace vdb {

// Stops whoever reaches a point until told to go on. Its end removes the handlers of every point.
class Gate {
 public:
  explicit Gate(const std::string& point) {
    SyncPoints::Set(point, [state = state_] { Pass(state.get()); });
  }
  ~Gate() {
    Open();
    SyncPoints::Clear();
  }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  void WaitUntilReached() {
    MutexLock lock(&state_->mutex);
    while (!state_->reached) state_->changed.Wait(&state_->mutex);
  }
  void Open() {
    MutexLock lock(&state_->mutex);
    state_->open = true;
    state_->changed.NotifyAll();
  }

 private:
  struct State {
    Mutex mutex;
    CondVar changed;
    bool reached ABSL_GUARDED_BY(mutex) = false;
    bool open ABSL_GUARDED_BY(mutex) = false;
  };

  static void Pass(State* state) {
    MutexLock lock(&state->mutex);
    state->reached = true;
    state->changed.NotifyAll();
    while (!state->open) state->changed.Wait(&state->mutex);
  }

  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

// Counts how often any of some points was reached. Its end removes the handlers of every point.
class Passages {
 public:
  explicit Passages(const std::vector<std::string>& points) {
    for (const std::string& point : points) {
      SyncPoints::Set(point, [state = state_] {
        MutexLock lock(&state->mutex);
        ++state->count;
        state->changed.NotifyAll();
      });
    }
  }
  ~Passages() { SyncPoints::Clear(); }
  Passages(const Passages&) = delete;
  Passages& operator=(const Passages&) = delete;

  std::uint64_t count() const {
    MutexLock lock(&state_->mutex);
    return state_->count;
  }
  // Waits until they have been reached more than `seen` times.
  void WaitBeyond(std::uint64_t seen) const {
    MutexLock lock(&state_->mutex);
    while (state_->count <= seen) state_->changed.Wait(&state_->mutex);
  }

 private:
  struct State {
    Mutex mutex;
    CondVar changed;
    std::uint64_t count ABSL_GUARDED_BY(mutex) = 0;
  };

  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace vdb

#endif  // VDB_TESTS_DB_GATE_H_
