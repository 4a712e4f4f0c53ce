/* See histogram.h. */
#include "base/histogram.h"

#include "base/exposition.h"

#define US(n) ((n)*1000ULL)
#define MS(n) ((n)*1000000ULL)
#define S(n) ((n)*1000000000ULL)

const struct histogram_buckets histogram_kubefed = {
    21,
    { { MS(10), "0.01" },    { MS(50), "0.05" },    { MS(100), "0.1" },  { MS(500), "0.5" },    { S(1), "1" },
      { MS(2500), "2.5" },   { S(5), "5" },         { MS(7500), "7.5" }, { S(10), "10" },       { MS(12500), "12.5" },
      { S(15), "15" },       { MS(17500), "17.5" }, { S(20), "20" },     { MS(22500), "22.5" }, { S(25), "25" },
      { MS(27500), "27.5" }, { S(30), "30" },       { S(50), "50" },     { S(75), "75" },       { S(100), "100" },
      { S(1000), "1000" } },
};

/* As Go prints 1e-8 multiplied by ten again and again. */
const struct histogram_buckets histogram_workqueue = {
    10,
    { { 10, "1e-08" },
      { 100, "1e-07" },
      { US(1), "1e-06" },
      { US(10), "9.999999999999999e-06" },
      { US(100), "9.999999999999999e-05" },
      { MS(1), "0.001" },
      { MS(10), "0.01" },
      { MS(100), "0.1" },
      { S(1), "1" },
      { S(10), "10" } },
};

const struct histogram_buckets histogram_default = {
    11,
    { { MS(5), "0.005" },
      { MS(10), "0.01" },
      { MS(25), "0.025" },
      { MS(50), "0.05" },
      { MS(100), "0.1" },
      { MS(250), "0.25" },
      { MS(500), "0.5" },
      { S(1), "1" },
      { MS(2500), "2.5" },
      { S(5), "5" },
      { S(10), "10" } },
};

const struct histogram_buckets histogram_propagation = {
    16,
    { { MS(5), "0.005" },
      { MS(10), "0.01" },
      { MS(25), "0.025" },
      { MS(50), "0.05" },
      { MS(100), "0.1" },
      { MS(250), "0.25" },
      { MS(500), "0.5" },
      { S(1), "1" },
      { MS(2500), "2.5" },
      { S(5), "5" },
      { S(10), "10" },
      { S(30), "30" },
      { S(60), "60" },
      { S(120), "120" },
      { S(300), "300" },
      { S(600), "600" } },
};

const struct histogram_buckets histogram_lag = {
    13,
    { { MS(1), "0.001" },
      { US(2500), "0.0025" },
      { MS(5), "0.005" },
      { MS(10), "0.01" },
      { MS(25), "0.025" },
      { MS(50), "0.05" },
      { MS(100), "0.1" },
      { MS(250), "0.25" },
      { MS(500), "0.5" },
      { S(1), "1" },
      { MS(2500), "2.5" },
      { S(5), "5" },
      { S(10), "10" } },
};

void histogram_observe(struct histogram *h, uint64_t ns)
{
    const struct histogram_buckets *b = h->buckets;
    size_t i = 0;

    while (i < b->n && ns > b->v[i].ns)
        i++;
    h->counts[i]++;
    h->sum_ns += ns;
}

void histogram_add(struct histogram *to, const struct histogram *from)
{
    assert(to->buckets == from->buckets);
    for (size_t i = 0; i <= to->buckets->n; i++)
        to->counts[i] += from->counts[i];
    to->sum_ns += from->sum_ns;
}

uint64_t histogram_count(const struct histogram *h)
{
    uint64_t n = 0;

    for (size_t i = 0; i <= h->buckets->n; i++)
        n += h->counts[i];
    return n;
}

void histogram_write(const struct histogram *h, struct buf *out, const char *name, const char *labels)
{
    const struct histogram_buckets *b = h->buckets;
    _cleanup_free_ char *sum = mem_printf("%s_sum", name), *count = mem_printf("%s_count", name);
    const char *more = labels && labels[0] ? labels : "", *comma = more[0] ? "," : "";
    uint64_t n = 0;

    for (size_t i = 0; i <= b->n; i++) {
        n += h->counts[i];
        buf_printf(out, "%s_bucket{%s%sle=\"%s\"} %llu\n", name, more, comma, i < b->n ? b->v[i].le : "+Inf",
                   (unsigned long long)n);
    }
    metric_seconds(out, sum, labels, h->sum_ns);
    metric_count(out, count, labels, n);
}
