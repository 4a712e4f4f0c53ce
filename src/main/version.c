/* See version.h. */
#include "version.h"

#include <stdio.h>

#include "base/log.h"
#include "base/version.h"

void version_print(const char *program, bool json)
{
    _cleanup_buf_ struct buf info = BUF_INIT((size_t)4096), line = BUF_INIT((size_t)32768);

    version_info(&info);
    if (json)
        log_render(&line, LOG_INFO, LOG_FILE_NAME, __LINE__, "KubeFed %s version: %s", program, info.p);
    else
        buf_printf(&line, "KubeFed %s version: %s\n", program, info.p);
    fputs(line.p, stdout);
    fflush(stdout);
}
