#include "vdb/util/prefetch.h"

namespace vdb {
namespace {

bool IsIntel() {
#if defined(__x86_64__)
  __builtin_cpu_init();  // constructors may run before the compiler's own call
  return __builtin_cpu_is("intel") != 0;
#else
  return false;
#endif
}

}  // namespace

const bool kReadsOn = IsIntel();

}  // namespace vdb
