// Reads batches on a thread of its own while earlier ones are being loaded.
//
// Thread safety: external lock; the source belongs to the thread until the destructor has returned.
#ifndef VDB_TOOLS_VDB_LOAD_READ_AHEAD_H_
#define VDB_TOOLS_VDB_LOAD_READ_AHEAD_H_

#include <cstddef>
#include <deque>
#include <thread>

#include "tools/vdb_load/row_source.h"
#include "vdb/util/mutex.h"

namespace vdb::tools {

class ReadAhead {
 public:
  // source must outlive this.
  explicit ReadAhead(RowSource* source);
  ~ReadAhead();
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  // The next batch; must not be called again after the last one.
  RowBatch Next();

 private:
  static constexpr std::size_t kBatchesAhead = 4;

  void Read();

  RowSource& source_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<RowBatch> batches_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace vdb::tools

#endif  // VDB_TOOLS_VDB_LOAD_READ_AHEAD_H_
