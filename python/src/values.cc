#include "python/src/values.h"

#include <cstddef>
#include <cstdint>
#include <utility>

#include "python/src/status_error.h"
#include "vdb/util/str_cat.h"

namespace vdb::python {
namespace nb = nanobind;
namespace {

Value IntegerValue(nb::handle object, std::string_view place) {
  int overflow = 0;
  const std::int64_t value = PyLong_AsLongLongAndOverflow(object.ptr(), &overflow);
  if (overflow == 0) return Value(value);
  if (overflow > 0) {
    const std::uint64_t large = PyLong_AsUnsignedLongLong(object.ptr());
    if (PyErr_Occurred() == nullptr) return Value(large);
    PyErr_Clear();
  }
  ThrowInvalid(StrCat(place, " is an int past 64 bits"));
}

Value SingleValue(nb::handle object, std::string_view place) {
  if (object.is_none()) return Value();
  if (PyBool_Check(object.ptr())) return Value(object.ptr() == Py_True);
  if (PyLong_Check(object.ptr())) return IntegerValue(object, place);
  if (PyFloat_Check(object.ptr())) return Value(PyFloat_AsDouble(object.ptr()));
  if (nb::isinstance<Timestamp>(object)) return Value(nb::cast<Timestamp>(object));
  return Value(Utf8(object, place));
}

Value ListValue(const nb::tuple& elements, std::size_t number) {
  std::vector<Value> values;
  values.reserve(elements.size());
  for (const nb::handle element : elements) {
    values.push_back(SingleValue(element, StrCat("parameter ", number, ", value ", values.size())));
  }
  return Value::List(std::move(values));
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

nb::object FromValue(const Value& value) {
  switch (value.type()) {
    case Value::Type::kNull:
      return nb::none();
    case Value::Type::kBool:
      return nb::bool_(value.bool_value());
    case Value::Type::kInt64:
      return nb::int_(value.int64_value());
    case Value::Type::kUint64:
      return nb::int_(value.uint64_value());
    case Value::Type::kDouble:
      return nb::float_(value.double_value());
    case Value::Type::kString:
      return nb::str(value.string_value().data(), value.string_value().size());
    default: {
      const std::string text = value.ToString();
      return nb::str(text.data(), text.size());
    }
  }
}

std::vector<Value> ToValues(const nb::tuple& parameters) {
  std::vector<Value> values;
  values.reserve(parameters.size());
  for (const nb::handle object : parameters) {
    const std::size_t number = values.size() + 1;
    values.push_back(nb::isinstance<nb::tuple>(object) ? ListValue(nb::borrow<nb::tuple>(object), number)
                                                       : SingleValue(object, StrCat("parameter ", number)));
  }
  return values;
}

}  // namespace vdb::python
