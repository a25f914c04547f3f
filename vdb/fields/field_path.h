// The canonical text of payload paths: what columns are named by and filters are written with.
//
// Names are joined by dots, `[]` follows the name of an array that the path goes through: items[].sku. A name that is
// no plain word, or a word of the filter language, stands in double quotes, a quote in it doubled.
// Thread safety: free functions.
#ifndef VDB_FIELDS_FIELD_PATH_H_
#define VDB_FIELDS_FIELD_PATH_H_

#include <string>
#include <string_view>

namespace vdb {

// Letters, digits, _ and bytes of non-ASCII characters, no digit first.
bool IsPlainNameStart(char c);
bool IsPlainNameChar(char c);

// Whether word is one that the filter language keeps for itself (AND, IN, …), in any case.
bool IsReservedWord(std::string_view word);

// Appends name, quoted where it must be.
void AppendFieldName(std::string_view name, std::string* out);

}  // namespace vdb

#endif  // VDB_FIELDS_FIELD_PATH_H_
