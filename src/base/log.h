/*
 * Log lines on stderr in klog format: I0102 15:04:05.000000   pid file.c:line] text, or one JSON object per line with ts
 * (milliseconds since the epoch), level, caller and msg. One line per event, at most 16 KiB (cut, never wrapped); control characters
 * in the text are escaped so that nobody can forge lines.
 * A reader that stops reading must not stop us: when stderr is a pipe and full, lines are dropped and counted.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdarg.h>

#include "base/base.h"
#include "base/buf.h"

enum log_level { LOG_INFO = 'I', LOG_WARNING = 'W', LOG_ERROR = 'E', LOG_FATAL = 'F' };

void log_init(int verbosity); /* -v; default 0 */
void log_set_file(int fd);    /* default 2 */
bool log_v(int verbosity);    /* is this verbosity on? */
uint64_t log_dropped(void);   /* lines that nobody read in time, since the start */
/* The same for a source file, whose own verbosity --vmodule may have set. */
bool log_v_in(const char *file, int verbosity);

enum log_format { LOG_TEXT, LOG_TEXT_BARE /* without headers */, LOG_JSON };
void log_set_format(enum log_format format); /* default LOG_TEXT */

/* --vmodule: "pattern=N,...", patterns over names of source files without their ending, such as sync*=4. At most 32. 0 or -EINVAL,
 * which changes nothing. */
int log_set_vmodule(struct str spec);
void log_line(enum log_level level, const char *file, int line, const char *fmt, ...) _printf_(4, 5);
/* Appends the line with its newline to `out` instead, for what goes elsewhere. */
void log_render(struct buf *out, enum log_level level, const char *file, int line, const char *fmt, ...) _printf_(5, 6);
void log_vline(enum log_level level, const char *file, int line, const char *fmt, va_list ap) _printf_(4, 0);

#define LOG_FILE_NAME (__builtin_strrchr(__FILE__, '/') ? __builtin_strrchr(__FILE__, '/') + 1 : __FILE__)
#define log_info(...) log_line(LOG_INFO, LOG_FILE_NAME, __LINE__, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, LOG_FILE_NAME, __LINE__, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, LOG_FILE_NAME, __LINE__, __VA_ARGS__)
/* For progress that only shows at -v=N. */
#define log_verbose(v, ...)                                                                                            \
    do {                                                                                                               \
        if (log_v_in(LOG_FILE_NAME, v))                                                                                \
            log_line(LOG_INFO, LOG_FILE_NAME, __LINE__, __VA_ARGS__);                                                  \
    } while (0)

#endif
