/* When a token is renewed. */
#include "controllers/renewal.h"
#include "unit.h"

static void four_fifths(void **state)
{
    (void)state;
    assert_int_equal(renewal_due(1000, 2000, 1500), 1800);
    assert_int_equal(renewal_due(1000, 2000, 5000), 1800); /* over: at once */
    assert_int_equal(renewal_due(0, 2000, 1000), 1800);    /* it does not say since when: from now on */
    assert_int_equal(renewal_due(0, 2000, 9000), 2000);
    assert_int_equal(renewal_due(3000, 2000, 1000), 1800); /* nonsense */
    assert_int_equal(renewal_due(1000, 0, 1500), 0);       /* without an end */
    assert_int_equal(renewal_due(1, INT64_MAX, 1500) > 1500, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(four_fifths) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
