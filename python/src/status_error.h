// StatusError: a vdb::Status on its way to Python, where it becomes an exception of vdbx._errors.
//
// Thread safety: values; throwing needs no GIL, the translation in module.cc has it.
#ifndef VDB_PYTHON_SRC_STATUS_ERROR_H_
#define VDB_PYTHON_SRC_STATUS_ERROR_H_

#include <vdb/status.h>

#include <exception>
#include <string>
#include <utility>

namespace vdb::python {

class StatusError : public std::exception {
 public:
  explicit StatusError(Status status) : status_(std::move(status)) {}
  const Status& status() const { return status_; }
  const char* what() const noexcept override { return status_.message().c_str(); }

 private:
  Status status_;
};

inline void ThrowUnlessOk(const Status& status) {
  if (!status.ok()) throw StatusError(status);
}

template <typename T>
T ValueOrThrow(Result<T> result) {
  if (!result.ok()) throw StatusError(result.status());
  return *std::move(result);
}

[[noreturn]] inline void ThrowInvalid(std::string message) {
  throw StatusError(InvalidArgumentError(std::move(message)));
}

}  // namespace vdb::python

#endif  // VDB_PYTHON_SRC_STATUS_ERROR_H_
