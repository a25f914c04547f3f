// View: what a reader works on, pinned for as long as it reads.
//
// Thread safety: immutable. Ownership: shared; the generation lives as long as a View that names it.
#ifndef VDB_DB_VIEW_H_
#define VDB_DB_VIEW_H_

#include <memory>
#include <utility>

#include "vdb/db/generation.h"

namespace vdb {

struct View {
  explicit View(std::shared_ptr<Generation> g) : generation(std::move(g)) {}

  const std::shared_ptr<Generation> generation;
};

// A pinned View with the clock that was loaded after it.
struct Snapshot {
  std::shared_ptr<const View> view;
  Clock clock;
};

}  // namespace vdb

#endif  // VDB_DB_VIEW_H_
