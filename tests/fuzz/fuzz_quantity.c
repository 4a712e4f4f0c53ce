/* Quantities: what is taken is rounded away from zero, keeps its sign, and survives being printed. */
#include "base/buf.h"
#include "fed/quantity.h"
#include "fuzz.h"

#define UNTOUCHED 123456789

static void check_text(void (*add)(struct buf *, int64_t), int64_t value, int64_t scale)
{
    _cleanup_buf_ struct buf text = BUF_INIT(64);
    int64_t again = 0;

    add(&text, value);
    FUZZ_CHECK(!buf_failed(&text));
    FUZZ_CHECK(fed_quantity_parse(buf_str(&text), scale, &again) == 0);
    FUZZ_CHECK(again == value);
}

/* ceil(milli / 1000) away from zero; where thousandths do not fit, the whole is at least as far out as they say. */
static void check_scales(int64_t units, int64_t milli)
{
    if (milli == INT64_MAX || milli == INT64_MIN)
        FUZZ_CHECK(milli > 0 ? units >= INT64_MAX / 1000 : units <= INT64_MIN / 1000);
    else
        FUZZ_CHECK(units == milli / 1000 + (milli % 1000 > 0) - (milli % 1000 < 0));
}

static void check_sign(struct str text, int64_t value)
{
    bool signed_text = text.p[0] == '-' || text.p[0] == '+';
    _cleanup_free_ char *negated = mem_printf("-%.*s", (int)text.n - signed_text, text.p + signed_text);
    int64_t other = 0;

    FUZZ_CHECK(text.p[0] == '-' ? value <= 0 : value >= 0);
    FUZZ_CHECK(fed_quantity_parse(str_of(negated), 1000, &other) == 0);
    if (value == INT64_MAX || value == INT64_MIN)
        FUZZ_CHECK(other == INT64_MIN || other == -INT64_MAX);
    else
        FUZZ_CHECK(other == (value > 0 ? -value : value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_n((const char *)data, size);
    int64_t units = UNTOUCHED, milli = UNTOUCHED;

    if (fed_quantity_parse(text, 1, &units) < 0) {
        FUZZ_CHECK(units == UNTOUCHED);
        FUZZ_CHECK(fed_quantity_parse(text, 1000, &milli) < 0);
        return 0;
    }
    FUZZ_CHECK(fed_quantity_parse(text, 1000, &milli) == 0);
    check_scales(units, milli);
    check_sign(text, milli);
    check_text(fed_quantity_add_milli, milli, 1000);
    check_text(fed_quantity_add_bytes, units, 1);
    return 0;
}
