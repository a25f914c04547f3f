// What a database did by itself and its owner may want to know.
#ifndef VDB_EVENTS_H_
#define VDB_EVENTS_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace vdb {

enum class EventLevel : std::uint8_t { kInfo, kWarning, kError };

constexpr std::string_view EventLevelName(EventLevel level) {
  switch (level) {
    case EventLevel::kInfo:
      return "info";
    case EventLevel::kWarning:
      return "warning";
    case EventLevel::kError:
      return "error";
  }
  return "unknown";
}

struct Event {
  std::uint64_t number = 0;  // from 1 on, since open; a gap means that older ones were dropped
  std::chrono::system_clock::time_point time;
  EventLevel level = EventLevel::kInfo;
  std::string text;
};

}  // namespace vdb

#endif  // VDB_EVENTS_H_
