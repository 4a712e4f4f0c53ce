/* The logging flags that all long-running programs take (api-and-cli.md 5.2). */
#ifndef MAIN_LOGGING_H
#define MAIN_LOGGING_H

#include "flags.h"

struct logging {
    int64_t verbosity;
    bool skip_headers, json;
    /* Taken and without effect; each has its own place, since their values are logged. */
    bool alsologtostderr, logtostderr, add_dir_header, one_output, skip_log_headers;
    const char *log_dir, *log_file, *log_file_max_size, *log_backtrace_at, *log_flush_frequency, *stderrthreshold;
};

/* For the table below. The patterns count from then on, the format from logging_start on. */
int logging_parse_vmodule(void *to, struct str value, struct error **err);
int logging_parse_format(void *to, struct str value, struct error **err);
/* Once the flags are known. */
void logging_start(const struct logging *l);

#define LOGGING_BOOL(l, flag, member)                                                                                  \
    {                                                                                                                  \
        .name = (flag), .kind = FLAG_BOOL, .to = &(l)->member                                                          \
    }
#define LOGGING_VALUE(l, flag, member)                                                                                 \
    {                                                                                                                  \
        .name = (flag), .kind = FLAG_STRING, .to = (void *)&(l)->member                                                \
    }
/* Rows for a flag table; `l` is a struct logging *. What only makes sense for log files is taken and ignored: logs go to stderr. */
#define LOGGING_FLAGS(l)                                                                                               \
    {                                                                                                                  \
        .name = "logging-format",                                                                                      \
        .kind = FLAG_CUSTOM,                                                                                           \
        .to = (l),                                                                                                     \
        .parse = logging_parse_format,                                                                                 \
        .value = "string",                                                                                             \
        .help = "text (as klog writes it) or json: one object per line with\nts, level, caller and msg (default text)" \
    },                                                                                                                 \
        { .name = "skip-headers",                                                                                      \
          .kind = FLAG_BOOL,                                                                                           \
          .to = &(l)->skip_headers,                                                                                    \
          .help = "lines without time, process and place" },                                                           \
        { .name = "v",                                                                                                 \
          .letter = 'v',                                                                                               \
          .kind = FLAG_DECIMAL,                                                                                        \
          .to = &(l)->verbosity,                                                                                       \
          .max = 100,                                                                                                  \
          .value = "int",                                                                                              \
          .help = "log verbosity (default 0)" },                                                                       \
        { .name = "vmodule",                                                                                           \
          .kind = FLAG_CUSTOM,                                                                                         \
          .to = (l),                                                                                                   \
          .parse = logging_parse_vmodule,                                                                              \
          .value = "pattern=N,...",                                                                                    \
          .help = "verbosity of single source files, such as sync*=4" },                                               \
        LOGGING_BOOL(l, "alsologtostderr", alsologtostderr), LOGGING_BOOL(l, "logtostderr", logtostderr),              \
        LOGGING_BOOL(l, "add-dir-header", add_dir_header), LOGGING_BOOL(l, "one-output", one_output),                  \
        LOGGING_BOOL(l, "skip-log-headers", skip_log_headers), LOGGING_VALUE(l, "log-dir", log_dir),                   \
        LOGGING_VALUE(l, "log-file", log_file), LOGGING_VALUE(l, "log-file-max-size", log_file_max_size),              \
        LOGGING_VALUE(l, "log-backtrace-at", log_backtrace_at),                                                        \
        LOGGING_VALUE(l, "log-flush-frequency", log_flush_frequency),                                                  \
        LOGGING_VALUE(l, "stderrthreshold", stderrthreshold)

#endif
