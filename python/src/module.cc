// vdbx._core: the core for Python. What users see is written in Python (python/vdbx), over these classes.

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <vdb/filter.h>

#include <string>

#include "python/src/handles.h"
#include "vdb/simd/kernels.h"

namespace vdb::python {
namespace nb = nanobind;
namespace {

// The exception of vdbx._errors that says what a status says.
void RaiseStatus(const std::exception_ptr& thrown, void* /*payload*/) {
  try {
    std::rethrow_exception(thrown);
  } catch (const StatusError& error) {
    const Status& status = error.status();
    const nb::object raised = nb::module_::import_("vdbx._errors")
                                  .attr("error_of")(std::string(StatusCodeName(status.code())),
                                                    std::string(StatusReasonName(status.reason())), status.message());
    PyErr_SetObject(raised.type().ptr(), raised.ptr());
  }
}

}  // namespace

NB_MODULE(_core, module) {
  nb::register_exception_translator(RaiseStatus);
  module.attr("VERSION") = VDB_PYTHON_VERSION;
  module.def(
      "kernel", [] { return std::string(simd::ActiveFloatKernels().name); },
      "The name of the distance kernels in use: avx512, avx2, neon or scalar.");
  nb::class_<Timestamp>(module, "Timestamp", "A moment, as a parameter of a filter.")
      .def(
          "__init__", [](Timestamp* self, std::int64_t micros) { new (self) Timestamp{micros}; }, nb::arg("micros"))
      .def_ro("micros", &Timestamp::micros);
  BindResults(module);
  BindCollection(module);
  BindDatabase(module);
  BindCommands(module);
}

}  // namespace vdb::python
