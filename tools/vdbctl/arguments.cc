// From what the command line says to what the database takes.

#include <charconv>
#include <memory>

#include "tools/lib/json_text.h"
#include "tools/lib/open_collection.h"
#include "tools/lib/vector_reader.h"
#include "tools/vdbctl/commands.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb::tools {

Result<Database> OpenExisting(const Arguments& arguments) {
  return Database::Open(arguments.database, {.create_if_missing = false});
}

Result<Database> OpenForReading(const Arguments& arguments) {
  return Database::Open(arguments.database, {.read_only = true});
}

Result<Collection> OpenCollectionForReading(const Arguments& arguments) {
  VDB_ASSIGN_OR_RETURN(Database database, OpenForReading(arguments));
  return OpenNamed(&database, arguments.collection);
}

Result<Collection> OpenCollectionOf(const Arguments& arguments) {
  VDB_ASSIGN_OR_RETURN(Database database, OpenExisting(arguments));
  return OpenNamed(&database, arguments.collection);
}

Result<std::vector<Value>> BindValues(const Arguments& arguments) {
  std::vector<Value> values;
  for (const std::string& text : arguments.bind) {
    VDB_ASSIGN_OR_RETURN(Value value, ParseValue(text));
    values.push_back(std::move(value));
  }
  return values;
}

Result<std::vector<float>> GivenVector(const Arguments& arguments) {
  std::vector<float> vector;
  if (!arguments.vector.empty()) {
    const Status status = ParseVector(arguments.vector, &vector);
    if (!status.ok()) return InvalidArgumentError(StrCat("--vector: ", status.message()));
    return vector;
  }
  if (arguments.vector_file.empty()) return vector;
  const std::string& given = arguments.vector_file;
  const std::size_t colon = given.rfind(':');
  std::uint64_t row = 0;
  const char* const end = given.data() + given.size();
  const char* const digits = colon == std::string::npos ? end : given.data() + colon + 1;
  const auto parsed = std::from_chars(digits, end, row);
  if (digits == end || parsed.ec != std::errc() || parsed.ptr != end) {
    return InvalidArgumentError(StrCat("--vector-file is '", given, "'; wanted FILE:ROW, e.g. queries.npy:0"));
  }
  const std::string path = given.substr(0, colon);
  VDB_ASSIGN_OR_RETURN(const std::unique_ptr<VectorReader> reader, VectorReader::Open(path, "vector"));
  VDB_RETURN_IF_ERROR(reader->Skip(row));
  VDB_ASSIGN_OR_RETURN(const bool found, reader->Next(&vector));
  if (!found) return NotFoundError(StrCat(path, " has no row ", row, "; rows count from 0"));
  return vector;
}

}  // namespace vdb::tools
