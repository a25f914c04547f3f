// The program vdb-load.

#include "tools/vdb_load/command_line.h"

int main(int argc, char** argv) {
  return vdb::tools::RunVdbLoad(argc, argv);
}
