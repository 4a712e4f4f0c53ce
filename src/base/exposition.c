/* See exposition.h. */
#include "base/exposition.h"

#include <stdarg.h>

#include "base/utf8.h"

#define LABELS_MAX ((size_t)64 << 10)

void metric_head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s ", name);
    for (const char *p = help; *p; p++)
        if (*p == '\\' || *p == '\n')
            buf_addz(out, *p == '\n' ? "\\n" : "\\\\");
        else
            buf_addc(out, *p);
    buf_printf(out, "\n# TYPE %s %s\n", name, type);
}

void metric_label(struct buf *labels, const char *name, struct str value)
{
    buf_printf(labels, "%s%s=\"", labels->n ? "," : "", name);
    while (value.n) {
        uint32_t c;
        size_t n = utf8_decode(value, &c);

        if (n == 0)
            buf_addz(labels, "\xef\xbf\xbd");
        else if (c == '\n')
            buf_addz(labels, "\\n");
        else if (c == '"' || c == '\\')
            buf_printf(labels, "\\%c", (int)c);
        else
            buf_add(labels, value.p, n);
        n = MAX(n, (size_t)1);
        value = str_n(value.p + n, value.n - n);
    }
    buf_addc(labels, '"');
}

char *metric_labels_of(const char *name, const char *value, ...)
{
    struct buf labels = BUF_INIT(LABELS_MAX);
    va_list ap;

    va_start(ap, value);
    while (name) {
        metric_label(&labels, name, str_of(value));
        name = va_arg(ap, const char *);
        value = name ? va_arg(ap, const char *) : NULL;
    }
    va_end(ap);
    return buf_take(&labels, NULL);
}

static void start_sample(struct buf *out, const char *name, const char *labels)
{
    if (labels && labels[0])
        buf_printf(out, "%s{%s} ", name, labels);
    else
        buf_printf(out, "%s ", name);
}

void metric_count(struct buf *out, const char *name, const char *labels, uint64_t value)
{
    start_sample(out, name, labels);
    buf_printf(out, "%llu\n", (unsigned long long)value);
}

void metric_real(struct buf *out, const char *name, const char *labels, double value)
{
    start_sample(out, name, labels);
    buf_printf(out, "%.17g\n", value);
}

void metric_seconds(struct buf *out, const char *name, const char *labels, uint64_t ns)
{
    start_sample(out, name, labels);
    buf_printf(out, "%llu.%09llu\n", (unsigned long long)(ns / 1000000000u), (unsigned long long)(ns % 1000000000u));
}
