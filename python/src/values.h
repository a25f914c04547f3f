// Python values as they go into the core: parameters of filters, strings.
//
// Thread safety: all functions need the GIL.
#ifndef VDB_PYTHON_SRC_VALUES_H_
#define VDB_PYTHON_SRC_VALUES_H_

#include <nanobind/nanobind.h>
#include <vdb/filter.h>

#include <string>
#include <string_view>
#include <vector>

namespace vdb::python {

// Tuples as Python's annotations name them.
using StrTuple = nanobind::typed<nanobind::tuple, nanobind::str, nanobind::ellipsis>;
using AnyTuple = nanobind::typed<nanobind::tuple, nanobind::any, nanobind::ellipsis>;

// The bytes of a str as UTF-8, kept by the object. Throws StatusError for another type, naming it as `what`, and for
// what is no UTF-8 (lone surrogates).
std::string_view Utf8(nanobind::handle object, std::string_view what);

// None, bool, int, float, str, Timestamp or a tuple of such, in the order of $1, $2, … Throws StatusError for other
// types and for integers past 64 bits.
std::vector<Value> ToValues(const nanobind::tuple& parameters);

// NULL, a bool, number or string as Python has it; a time and a list as their text.
nanobind::object FromValue(const Value& value);

// For messages: "int", "numpy.ndarray".
std::string TypeName(nanobind::handle object);

}  // namespace vdb::python

#endif  // VDB_PYTHON_SRC_VALUES_H_
