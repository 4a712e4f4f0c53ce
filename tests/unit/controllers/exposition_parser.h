/* A strict reader of the text format of Prometheus: each family declared once, HELP then TYPE then its samples and no others, no
 * series twice, labels escaped, numbers that are numbers, histograms cumulative with a count that agrees. */
#ifndef EXPOSITION_PARSER_H
#define EXPOSITION_PARSER_H

#include <ctype.h>

#include "base/map.h"
#include "unit.h"

struct exposition {
    struct map families; /* by name: char *type */
    struct map series;   /* by the text before the value: char *value */
    char *name, *type;   /* of the family being read; borrowed from families */
    size_t n_samples;    /* of it */
    double last_bucket;
    bool in_buckets;
};

static void exposition_done(struct exposition *x)
{
    map_done_values(&x->families, free);
    map_done_values(&x->series, free);
    free(x->name);
}
#define _cleanup_exposition_ _cleanup_(exposition_done)

static size_t name_length(const char *p, bool metric)
{
    size_t n = 0;

    while (isalpha((unsigned char)p[n]) || p[n] == '_' || (metric && p[n] == ':') ||
           (n && isdigit((unsigned char)p[n])))
        n++;
    return n;
}

/* Past the closing brace; le: the value of that label, or "". */
static const char *read_labels(const char *p, const char *line, struct str *ret_le)
{
    struct map seen = MAP_INIT;

    *ret_le = STR_NULL;
    for (p++; *p != '}'; p += *p == ',') {
        size_t n = name_length(p, false);
        if (n == 0 || p[n] != '=' || p[n + 1] != '"' || map_put(&seen, str_n(p, n), &seen))
            fail_msg("labels: %s", line);
        bool le = str_eqc(str_n(p, n), "le");
        const char *value = p = p + n + 2;
        for (; *p != '"'; p++) {
            if (*p == '\\' && !strchr("\\\"n", *++p))
                fail_msg("escape: %s", line);
            if (*p == 0)
                fail_msg("not closed: %s", line);
        }
        if (le)
            *ret_le = str_n(value, (size_t)(p - value));
        p++;
        if (*p != ',' && *p != '}')
            fail_msg("after a label: %s", line);
    }
    map_done(&seen);
    return p + 1;
}

static bool belongs(const struct exposition *x, struct str name)
{
    size_t n = strlen(x->name);
    struct str suffix;

    if (name.n < n || memcmp(name.p, x->name, n) != 0)
        return false;
    suffix = str_n(name.p + n, name.n - n);
    if (strcmp(x->type, "histogram") == 0)
        return str_eqc(suffix, "_bucket") || str_eqc(suffix, "_sum") || str_eqc(suffix, "_count");
    if (strcmp(x->type, "summary") == 0)
        return str_eqc(suffix, "_sum") || str_eqc(suffix, "_count");
    return suffix.n == 0;
}

static void check_histogram(struct exposition *x, const char *line, struct str name, struct str le, double v)
{
    if (str_has_suffix(name, STR("_bucket"))) {
        if (le.n == 0 || (x->in_buckets && v < x->last_bucket))
            fail_msg("bucket: %s", line);
        x->in_buckets = !str_eqc(le, "+Inf");
        x->last_bucket = v;
    } else if (x->in_buckets || (str_has_suffix(name, STR("_count")) && v != x->last_bucket)) {
        fail_msg("no +Inf, or another count: %s", line);
    }
}

static void read_sample(struct exposition *x, const char *line)
{
    struct str name = str_n(line, name_length(line, true)), le = STR_NULL;
    const char *p = line + name.n;
    char *end;

    if (name.n == 0 || !x->type || !belongs(x, name)) {
        fail_msg("not of family %s: %s", x->name ? x->name : "(none)", line);
        return;
    }
    if (*p == '{')
        p = read_labels(p, line, &le);
    if (*p != ' ' || map_has(&x->series, str_n(line, (size_t)(p - line))))
        fail_msg("no value, or seen before: %s", line);
    double v = strtod(p + 1, &end);
    if (end == p + 1 || *end || (strcmp(x->type, "gauge") != 0 && !(v >= 0)))
        fail_msg("number: %s", line);
    if (strcmp(x->type, "histogram") == 0)
        check_histogram(x, line, name, le, v);
    map_put(&x->series, str_n(line, (size_t)(p - line)), mem_strdup(p + 1));
    x->n_samples++;
}

static void read_head(struct exposition *x, const char *line)
{
    static const char *const types[] = { "counter", "gauge", "histogram", "summary" };
    bool help = strncmp(line, "# HELP ", 7) == 0, known = false;
    size_t n = name_length(line + 7, true);

    if ((!help && strncmp(line, "# TYPE ", 7) != 0) || n == 0 || line[7 + n] != ' ' || !line[8 + n])
        fail_msg("comment: %s", line);
    if (help) {
        if (x->name && !x->type)
            fail_msg("family without type before: %s", line);
        if (map_has(&x->families, str_n(line + 7, n)))
            fail_msg("declared before: %s", line);
        free(x->name);
        x->name = mem_strndup(line + 7, n);
        x->type = NULL;
        return;
    }
    if (!x->name || x->type || !str_eqc(str_n(line + 7, n), x->name))
        fail_msg("TYPE without HELP: %s", line);
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        known |= strcmp(line + 8 + n, types[i]) == 0;
    if (!known)
        fail_msg("type: %s", line);
    x->type = mem_strdup(line + 8 + n);
    map_put(&x->families, str_of(x->name), x->type);
    x->n_samples = 0;
    x->in_buckets = false;
}

/* Reads all of it; fails the test at the first fault. */
static void exposition_read(struct exposition *x, struct str text)
{
    struct str line, rest = text;

    *x = (struct exposition){ 0 };
    assert_true(str_has_suffix(text, STR("\n")));
    while (str_cut(rest, '\n', &line, &rest)) {
        _cleanup_free_ char *copy = str_dup(line);
        if (copy[0] == '#')
            read_head(x, copy);
        else
            read_sample(x, copy);
    }
    assert_non_null(x->type);
}

/* The value of a series as it is written, or "(none)". */
static const char *exposition_value(const struct exposition *x, const char *series)
{
    const char *v = map_get(&x->series, str_of(series));

    return v ? v : "(none)";
}

#endif
