/* Histograms and the text format of Prometheus: buckets, sums, and what must be escaped. */
#include "base/exposition.h"
#include "base/histogram.h"
#include "unit.h"

static const struct histogram_buckets *const lists[] = { &histogram_kubefed, &histogram_workqueue,
                                                         &histogram_propagation, &histogram_lag, &histogram_default };

static void bounds_rise_and_are_named_right(void **state)
{
    (void)state;
    for (size_t l = 0; l < ARRAY_SIZE(lists); l++)
        for (size_t i = 0; i < lists[l]->n; i++) {
            assert_true(i == 0 || lists[l]->v[i].ns > lists[l]->v[i - 1].ns);
            double seconds = strtod(lists[l]->v[i].le, NULL), ns = (double)lists[l]->v[i].ns;
            assert_true(seconds * 1e9 > ns * 0.999999 && seconds * 1e9 < ns * 1.000001);
        }
    assert_int_equal(histogram_kubefed.n, 21);
    assert_int_equal(histogram_workqueue.n, 10);
}

static void a_bound_belongs_to_its_bucket(void **state)
{
    (void)state;
    struct histogram h = HISTOGRAM_INIT(&histogram_lag);
    histogram_observe(&h, 0);
    histogram_observe(&h, 1000000);
    histogram_observe(&h, 1000001);
    histogram_observe(&h, 10000000000);
    histogram_observe(&h, 10000000001);
    assert_int_equal(h.counts[0], 2);
    assert_int_equal(h.counts[1], 1);
    assert_int_equal(h.counts[12], 1);
    assert_int_equal(h.counts[13], 1);
    assert_int_equal(histogram_count(&h), 5);
    assert_int_equal(h.sum_ns, 20002000002);
}

static void the_text_is_cumulative(void **state)
{
    (void)state;
    _cleanup_buf_ struct buf out = BUF_INIT(1 << 16);
    struct histogram h = HISTOGRAM_INIT(&histogram_workqueue), other = h;
    histogram_observe(&h, 50);
    histogram_observe(&other, 5000000000);
    histogram_observe(&other, 60000000000);
    histogram_add(&h, &other);
    histogram_write(&h, &out, "t", "name=\"a\"");
    assert_str(buf_str(&out), "t_bucket{name=\"a\",le=\"1e-08\"} 0\n"
                              "t_bucket{name=\"a\",le=\"1e-07\"} 1\n"
                              "t_bucket{name=\"a\",le=\"1e-06\"} 1\n"
                              "t_bucket{name=\"a\",le=\"9.999999999999999e-06\"} 1\n"
                              "t_bucket{name=\"a\",le=\"9.999999999999999e-05\"} 1\n"
                              "t_bucket{name=\"a\",le=\"0.001\"} 1\n"
                              "t_bucket{name=\"a\",le=\"0.01\"} 1\n"
                              "t_bucket{name=\"a\",le=\"0.1\"} 1\n"
                              "t_bucket{name=\"a\",le=\"1\"} 1\n"
                              "t_bucket{name=\"a\",le=\"10\"} 2\n"
                              "t_bucket{name=\"a\",le=\"+Inf\"} 3\n"
                              "t_sum{name=\"a\"} 65.000000050\n"
                              "t_count{name=\"a\"} 3\n");
}

static void without_labels(void **state)
{
    (void)state;
    _cleanup_buf_ struct buf out = BUF_INIT(1 << 16);
    struct histogram h = HISTOGRAM_INIT(&histogram_kubefed);
    histogram_write(&h, &out, "t", "");
    assert_true(str_has_prefix(buf_str(&out), STR("t_bucket{le=\"0.01\"} 0\n")));
    assert_true(str_has_suffix(buf_str(&out), STR("t_sum 0.000000000\nt_count 0\n")));
}

static void labels_are_escaped(void **state)
{
    (void)state;
    static const struct {
        struct str value;
        const char *want;
    } cases[] = {
        { STR("plain"), "l=\"plain\"" },
        { STR(""), "l=\"\"" },
        { STR("a\"b\\c\nd"), "l=\"a\\\"b\\\\c\\nd\"" },
        { STR("M\xc3\xbcnchen"), "l=\"M\xc3\xbcnchen\"" },
        { STR("\xff\xc3"), "l=\"\xef\xbf\xbd\xef\xbf\xbd\"" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_buf_ struct buf out = BUF_INIT(4096);
        metric_label(&out, "l", cases[i].value);
        assert_str(buf_str(&out), cases[i].want);
    }
    _cleanup_free_ char *two = metric_labels("a", "1", "b", "x\"");
    assert_string_equal(two, "a=\"1\",b=\"x\\\"\"");
}

static void samples(void **state)
{
    (void)state;
    _cleanup_buf_ struct buf out = BUF_INIT(4096);
    metric_head(&out, "m", "gauge", "Back\\slash,\nnext line.");
    metric_count(&out, "m", NULL, UINT64_MAX);
    metric_real(&out, "m", "a=\"b\"", 0.5);
    metric_seconds(&out, "m", "", 1000000007);
    assert_str(buf_str(&out), "# HELP m Back\\\\slash,\\nnext line.\n# TYPE m gauge\n"
                              "m 18446744073709551615\nm{a=\"b\"} 0.5\nm 1.000000007\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_rise_and_are_named_right),
        cmocka_unit_test(a_bound_belongs_to_its_bucket),
        cmocka_unit_test(the_text_is_cumulative),
        cmocka_unit_test(without_labels),
        cmocka_unit_test(labels_are_escaped),
        cmocka_unit_test(samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
