#include "python/src/values.h"

#include <cstddef>
#include <cstdint>

#include "python/src/status_error.h"
#include "vdb/util/str_cat.h"

namespace vdb::python {
namespace nb = nanobind;
namespace {

Value IntegerValue(nb::handle object, std::size_t number) {
  int overflow = 0;
  const std::int64_t value = PyLong_AsLongLongAndOverflow(object.ptr(), &overflow);
  if (overflow == 0) return Value(value);
  if (overflow > 0) {
    const std::uint64_t large = PyLong_AsUnsignedLongLong(object.ptr());
    if (PyErr_Occurred() == nullptr) return Value(large);
    PyErr_Clear();
  }
  ThrowInvalid(StrCat("parameter ", number, " is an int past 64 bits"));
}

}  // namespace

std::string TypeName(nb::handle object) {
  const nb::object name = object.type().attr("__qualname__");
  Py_ssize_t size = 0;
  const char* text = PyUnicode_AsUTF8AndSize(name.ptr(), &size);
  if (text == nullptr) {
    PyErr_Clear();
    return "another type";
  }
  return std::string(text, static_cast<std::size_t>(size));
}

std::string_view Utf8(nb::handle object, std::string_view what) {
  if (!PyUnicode_Check(object.ptr())) ThrowInvalid(StrCat(what, " is of type ", TypeName(object), "; wanted str"));
  Py_ssize_t size = 0;
  const char* text = PyUnicode_AsUTF8AndSize(object.ptr(), &size);
  if (text == nullptr) {
    PyErr_Clear();
    ThrowInvalid(StrCat(what, " holds a lone surrogate; wanted text that UTF-8 can express"));
  }
  return {text, static_cast<std::size_t>(size)};
}

std::vector<Value> ToValues(const nb::tuple& parameters) {
  std::vector<Value> values;
  values.reserve(parameters.size());
  for (const nb::handle object : parameters) {
    const std::size_t number = values.size() + 1;
    if (object.is_none()) {
      values.emplace_back();
    } else if (PyBool_Check(object.ptr())) {
      values.emplace_back(object.ptr() == Py_True);
    } else if (PyLong_Check(object.ptr())) {
      values.push_back(IntegerValue(object, number));
    } else if (PyFloat_Check(object.ptr())) {
      values.emplace_back(PyFloat_AsDouble(object.ptr()));
    } else if (nb::isinstance<Timestamp>(object)) {
      values.emplace_back(nb::cast<Timestamp>(object));
    } else {
      values.emplace_back(Utf8(object, StrCat("parameter ", number)));
    }
  }
  return values;
}

}  // namespace vdb::python
