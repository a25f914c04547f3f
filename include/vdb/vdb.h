// Everything of vdb's public interface.
#ifndef VDB_VDB_H_
#define VDB_VDB_H_

#include <vdb/bulk_loader.h>
#include <vdb/collection.h>
#include <vdb/database.h>
#include <vdb/events.h>
#include <vdb/facets.h>
#include <vdb/filter.h>
#include <vdb/limits.h>
#include <vdb/repair.h>
#include <vdb/search.h>
#include <vdb/status.h>
#include <vdb/types.h>

#endif  // VDB_VDB_H_
