/*
 * The text format of Prometheus, version 0.0.4: a family is its head (metric_head), then all its samples, one line each. Names and
 * help texts are the program's own; label values may be anything. Labels are made once as text and used for several samples.
 */
#ifndef BASE_EXPOSITION_H
#define BASE_EXPOSITION_H

#include "base/buf.h"

/* HELP and TYPE. type: "counter", "gauge", "histogram" or "summary". */
void metric_head(struct buf *out, const char *name, const char *type, const char *help);

/* Appends `name="value"` with what must be escaped in it, after a comma when there is something in `labels` already. Bytes that
 * are no UTF-8 become U+FFFD. */
void metric_label(struct buf *labels, const char *name, struct str value);
/* The same for pairs of name and value (C strings): metric_labels("a", "1", "b", "2") is `a="1",b="2"`. Owned. */
#define metric_labels(...) metric_labels_of(__VA_ARGS__, (const char *)NULL)
char *metric_labels_of(const char *name, const char *value, ...) __attribute__((sentinel));

/* One sample. labels: from above, or NULL or "" for none. */
void metric_count(struct buf *out, const char *name, const char *labels, uint64_t value);
void metric_real(struct buf *out, const char *name, const char *labels, double value);
/* Nanoseconds as seconds, exactly. */
void metric_seconds(struct buf *out, const char *name, const char *labels, uint64_t ns);

#endif
