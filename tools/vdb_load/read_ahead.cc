#include "tools/vdb_load/read_ahead.h"

#include <exception>
#include <utility>

#include "vdb/util/str_cat.h"

namespace vdb::tools {
namespace {

// An exception (memory) must not leave the thread.
RowBatch NextOrError(RowSource* source) {
  try {
    return source->Next();
  } catch (const std::exception& error) {
    RowBatch batch;
    batch.status = ResourceExhaustedError(StrCat("cannot read rows: ", std::string_view(error.what())));
    batch.is_last = true;
    return batch;
  }
}

}  // namespace

ReadAhead::ReadAhead(RowSource* source) : source_(*source), thread_([this] { Read(); }) {}

ReadAhead::~ReadAhead() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  thread_.join();
}

RowBatch ReadAhead::Next() {
  MutexLock lock(&mutex_);
  while (batches_.empty()) changed_.Wait(&mutex_);
  RowBatch batch = std::move(batches_.front());
  batches_.pop_front();
  changed_.NotifyAll();
  return batch;
}

void ReadAhead::Read() {
  for (bool is_last = false; !is_last;) {
    RowBatch batch = NextOrError(&source_);
    is_last = batch.is_last;
    MutexLock lock(&mutex_);
    while (batches_.size() == kBatchesAhead && !stopping_) changed_.Wait(&mutex_);
    if (stopping_) return;
    batches_.push_back(std::move(batch));
    changed_.NotifyAll();
  }
}

}  // namespace vdb::tools
