// The program vdbctl.

#include "tools/vdbctl/command_line.h"

int main(int argc, char** argv) {
  return vdb::tools::RunVdbctl(argc, argv);
}
