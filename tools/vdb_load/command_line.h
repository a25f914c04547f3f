// vdb-load: vectors and payloads from files into a collection.
//
// A program of its own (main.cc), and a command of the Python package, which has it in its extension module.
// Thread safety: one call at a time; writes to stdout and stderr.
#ifndef VDB_TOOLS_VDB_LOAD_COMMAND_LINE_H_
#define VDB_TOOLS_VDB_LOAD_COMMAND_LINE_H_

namespace vdb::tools {

// As main: argv[0] is the program's name. Returns the exit status.
int RunVdbLoad(int argc, char** argv);

}  // namespace vdb::tools

#endif  // VDB_TOOLS_VDB_LOAD_COMMAND_LINE_H_
