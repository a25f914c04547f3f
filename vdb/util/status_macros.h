// Early return on a Status or Result that is an error.
#ifndef VDB_UTIL_STATUS_MACROS_H_
#define VDB_UTIL_STATUS_MACROS_H_

#include <vdb/status.h>

#define VDB_STATUS_CONCAT_INNER(a, b) a##b
#define VDB_STATUS_CONCAT(a, b) VDB_STATUS_CONCAT_INNER(a, b)

// Variables that the macros declare cannot stand in parentheses.
// NOLINTBEGIN(bugprone-macro-parentheses)

// VDB_RETURN_IF_ERROR(expr): returns the Status of expr from this function unless it is Ok.
#define VDB_RETURN_IF_ERROR(expr) VDB_RETURN_IF_ERROR_INNER(VDB_STATUS_CONCAT(vdb_status_, __LINE__), expr)
#define VDB_RETURN_IF_ERROR_INNER(status, expr) \
  do {                                          \
    ::vdb::Status status = (expr);              \
    if (!status.ok()) [[unlikely]]              \
      return status;                            \
  } while (false)

// VDB_ASSIGN_OR_RETURN(auto x, expr): x becomes the value of the Result expr, or its Status is returned.
#define VDB_ASSIGN_OR_RETURN(lhs, expr) VDB_ASSIGN_OR_RETURN_INNER(VDB_STATUS_CONCAT(vdb_result_, __LINE__), lhs, expr)
#define VDB_ASSIGN_OR_RETURN_INNER(result, lhs, expr) \
  auto result = (expr);                               \
  if (!result.ok()) [[unlikely]]                      \
    return result.status();                           \
  lhs = *std::move(result)

// NOLINTEND(bugprone-macro-parentheses)

#endif  // VDB_UTIL_STATUS_MACROS_H_
