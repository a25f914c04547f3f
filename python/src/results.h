// What reading gives to Python: SearchResult and Records hold the core's answer and hand out its parts when asked.
//
// Thread safety: constant after construction.
#ifndef VDB_PYTHON_SRC_RESULTS_H_
#define VDB_PYTHON_SRC_RESULTS_H_

#include <nanobind/nanobind.h>
#include <vdb/vdb.h>

#include <vector>

namespace vdb::python {

// Records as read by get and scan, in order.
struct Records {
  std::vector<Record> records;
};

// Gives the records of a scan in blocks.
class RecordScanner {
 public:
  explicit RecordScanner(Scanner scanner) : scanner_(std::move(scanner)) {}
  // At most `rows` more records; none at the end.
  Records Next(std::size_t rows);

 private:
  Scanner scanner_;
};

}  // namespace vdb::python

#endif  // VDB_PYTHON_SRC_RESULTS_H_
