// Status and Result<T>: the one error type of vdb's public interface and of its insides.
//
// Thread safety: values; const access is safe from many threads.
// Ownership: a Status owns its message.
#ifndef VDB_STATUS_H_
#define VDB_STATUS_H_

#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace vdb {

// What kind of failure; the message says what was got, what was wanted, and where.
enum class StatusCode {
  kOk = 0,
  kInvalidArgument,     // the caller's fault: a size, a range, a syntax; nothing was changed
  kNotFound,            // no such collection, record or file
  kAlreadyExists,       // a collection of that name exists
  kFailedPrecondition,  // wrong state; reason() tells which
  kResourceExhausted,   // disk, memory or a limit; nothing was changed
  kDataLoss,            // bytes on disk are damaged or acknowledged data is missing
  kAborted,             // given up so that others can go on; try again
  kDeadlineExceeded,    // the caller's time limit
  kIoError,             // the system failed; the outcome of a write is unknown until the database is reopened
  kInternal,            // a defect of vdb or a surprise of a library below it
};

// Which wrong state a kFailedPrecondition is about.
enum class StatusReason {
  kNone = 0,
  kClosed,       // the database has been closed, or the collection dropped
  kForked,       // this process is a fork of one that had a database open
  kInUse,        // another process has the database open, or this one with other options
  kReadOnly,     // opened read-only, or read-only until reopened because a write failed
  kNewerFormat,  // written by a newer vdb
};

// The code's name as printed before messages, e.g. "InvalidArgument".
constexpr std::string_view StatusCodeName(StatusCode code) {
  switch (code) {
    case StatusCode::kOk:
      return "Ok";
    case StatusCode::kInvalidArgument:
      return "InvalidArgument";
    case StatusCode::kNotFound:
      return "NotFound";
    case StatusCode::kAlreadyExists:
      return "AlreadyExists";
    case StatusCode::kFailedPrecondition:
      return "FailedPrecondition";
    case StatusCode::kResourceExhausted:
      return "ResourceExhausted";
    case StatusCode::kDataLoss:
      return "DataLoss";
    case StatusCode::kAborted:
      return "Aborted";
    case StatusCode::kDeadlineExceeded:
      return "DeadlineExceeded";
    case StatusCode::kIoError:
      return "IoError";
    case StatusCode::kInternal:
      return "Internal";
  }
  return "Unknown";
}

// The reason's name, e.g. "Closed"; empty for kNone.
constexpr std::string_view StatusReasonName(StatusReason reason) {
  switch (reason) {
    case StatusReason::kNone:
      return "";
    case StatusReason::kClosed:
      return "Closed";
    case StatusReason::kForked:
      return "Forked";
    case StatusReason::kInUse:
      return "InUse";
    case StatusReason::kReadOnly:
      return "ReadOnly";
    case StatusReason::kNewerFormat:
      return "NewerFormat";
  }
  return "";
}

// Thrown by Status::value() and Result::value() on an error; what() is the status as text.
class BadStatus : public std::runtime_error {
 public:
  explicit BadStatus(const std::string& text) : std::runtime_error(text) {}
};

// Success, or a code with a message.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message, StatusReason reason = StatusReason::kNone)
      : code_(code), reason_(reason), message_(std::move(message)) {}

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  StatusReason reason() const { return reason_; }
  const std::string& message() const { return message_; }
  // The same failure, told with more words.
  Status WithMessage(std::string message) const { return Status(code_, std::move(message), reason_); }

  // "Ok", or "InvalidArgument: vector has 3 components; …".
  std::string ToString() const {
    return ok() ? "Ok" : std::string(StatusCodeName(code_)).append(": ").append(message_);
  }

  // Throws BadStatus unless ok().
  void value() const {
    if (!ok()) throw BadStatus(ToString());
  }

  friend bool operator==(const Status& a, const Status& b) = default;
  friend std::ostream& operator<<(std::ostream& out, const Status& status) { return out << status.ToString(); }

 private:
  StatusCode code_ = StatusCode::kOk;
  StatusReason reason_ = StatusReason::kNone;
  std::string message_;
};

inline Status OkStatus() {
  return Status();
}
inline Status InvalidArgumentError(std::string m) {
  return Status(StatusCode::kInvalidArgument, std::move(m));
}
inline Status NotFoundError(std::string m) {
  return Status(StatusCode::kNotFound, std::move(m));
}
inline Status AlreadyExistsError(std::string m) {
  return Status(StatusCode::kAlreadyExists, std::move(m));
}
inline Status FailedPreconditionError(std::string m, StatusReason reason = StatusReason::kNone) {
  return Status(StatusCode::kFailedPrecondition, std::move(m), reason);
}
inline Status ResourceExhaustedError(std::string m) {
  return Status(StatusCode::kResourceExhausted, std::move(m));
}
inline Status DataLossError(std::string m) {
  return Status(StatusCode::kDataLoss, std::move(m));
}
inline Status AbortedError(std::string m) {
  return Status(StatusCode::kAborted, std::move(m));
}
inline Status DeadlineExceededError(std::string m) {
  return Status(StatusCode::kDeadlineExceeded, std::move(m));
}
inline Status IoError(std::string m) {
  return Status(StatusCode::kIoError, std::move(m));
}
inline Status InternalError(std::string m) {
  return Status(StatusCode::kInternal, std::move(m));
}

// A T, or the Status that says why there is none.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}         // NOLINT(google-explicit-constructor)
  Result(Status status) : status_(std::move(status)) {  // NOLINT(google-explicit-constructor)
    if (status_.ok()) status_ = InternalError("a Result was made from an Ok status without a value");
  }

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }

  // The value; throws BadStatus if there is none.
  T& value() & {
    status_.value();
    return *value_;
  }
  const T& value() const& {
    status_.value();
    return *value_;
  }
  // By value, so that what is taken out of a temporary outlives it.
  T value() && {
    status_.value();
    return *std::move(value_);
  }

  // The value, unchecked: only after ok().
  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T&& operator*() && { return *std::move(value_); }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

 private:
  Status status_;
  std::optional<T> value_;
};

}  // namespace vdb

#endif  // VDB_STATUS_H_
