/* Which version this is, in the shape of Go's version.Info (api-and-cli.md 3.9, 5.2). */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

#include "base/buf.h"

/* `version.Info{Version:"v...", GitCommit:"...", ...}`; the date is that of the commit, so that builds can be repeated. */
void version_info(struct buf *out);

/* Of the commit; the file that says them is made by tools/revision in every build. */
extern const char revision_commit[], revision_state[], revision_date[];

#endif
