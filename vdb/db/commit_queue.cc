#include "vdb/db/commit_queue.h"

namespace vdb {
namespace {

// A group larger than this would make the writers behind it wait for long.
constexpr std::size_t kMaxGroupMutations = 8'192;

}  // namespace

std::vector<CommitRequest*> CommitQueue::TakeGroup() {
  std::vector<CommitRequest*> group = {waiting_.front()};
  if (group.front()->exclusive) return group;
  std::size_t mutations = group.front()->mutations.size();
  for (auto next = waiting_.begin() + 1; next != waiting_.end(); ++next) {
    mutations += (*next)->mutations.size();
    if ((*next)->exclusive || mutations > kMaxGroupMutations) break;
    group.push_back(*next);
  }
  return group;
}

void CommitQueue::Run(CommitRequest* request) {
  std::vector<CommitRequest*> group;
  {
    MutexLock lock(&mutex_);
    waiting_.push_back(request);
    while (!request->done && waiting_.front() != request) changed_.Wait(&mutex_);
    if (request->done) return;
    group = TakeGroup();
    if (!request->exclusive) {
      ++groups_;
      requests_ += group.size();
    }
  }
  // The group stays at the head of the queue meanwhile, so nobody else leads.
  process_(group);
  MutexLock lock(&mutex_);
  for (CommitRequest* processed : group) {
    waiting_.pop_front();
    processed->done = true;
  }
  changed_.NotifyAll();
}

std::uint64_t CommitQueue::groups() const {
  MutexLock lock(&mutex_);
  return groups_;
}

std::uint64_t CommitQueue::requests() const {
  MutexLock lock(&mutex_);
  return requests_;
}

}  // namespace vdb
