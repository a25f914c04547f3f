// The classes of vdbx._core: thin handles that take and give Python values, and release the GIL around the core.
//
// Thread safety: as the core's handles; functions are called with the GIL. Ownership: a handle keeps the database open.
#ifndef VDB_PYTHON_SRC_HANDLES_H_
#define VDB_PYTHON_SRC_HANDLES_H_

#include <nanobind/nanobind.h>
#include <vdb/vdb.h>

#include <cstddef>
#include <memory>
#include <utility>

#include "python/src/status_error.h"

namespace vdb::python {

// Runs call(), which returns a Status or a Result, without the GIL; throws StatusError.
template <typename Call>
auto WithoutGil(Call&& call) {
  auto outcome = [&] {
    const nanobind::gil_scoped_release release;
    return call();
  }();
  if constexpr (std::is_same_v<decltype(outcome), Status>) {
    ThrowUnlessOk(outcome);
  } else {
    return ValueOrThrow(std::move(outcome));
  }
}

// Each adds its classes and functions to the module. Order: results, collection, database, commands.
void BindResults(nanobind::module_& module);
void BindCollection(nanobind::module_& module);
void BindDatabase(nanobind::module_& module);
void BindCommands(nanobind::module_& module);

}  // namespace vdb::python

#endif  // VDB_PYTHON_SRC_HANDLES_H_
