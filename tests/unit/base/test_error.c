/* Error objects: replacing, wrapping, copying, and callers that want no error. */
#include "unit.h"

static void test_set_and_wrap(void **state)
{
    _cleanup_error_ struct error *err = NULL;

    (void)state;
    assert_int_equal(error_set(&err, -EINVAL, "bad %s", "thing"), -EINVAL);
    assert_int_equal(err->code, -EINVAL);
    assert_int_equal(error_wrap(&err, "reading %d", 7), -EINVAL);
    assert_string_equal(error_msg(err), "reading 7: bad thing");
    /* Replacing, with an argument that lives in the old error. */
    assert_int_equal(error_set(&err, -EIO, "again: %s", err->msg), -EIO);
    assert_string_equal(error_msg(err), "again: reading 7: bad thing");
}

static void test_without_place(void **state)
{
    struct error *none = NULL;

    (void)state;
    assert_int_equal(error_set(NULL, -ENOENT, "x"), -ENOENT);
    assert_int_equal(error_set_http(NULL, -EIO, 404, STR("NotFound"), "x"), -EIO);
    assert_int_equal(error_wrap(NULL, "x"), -EIO);
    assert_int_equal(error_wrap(&none, "x"), -EIO);
    assert_null(none);
    assert_string_equal(error_msg(NULL), "unknown error");
    assert_int_equal(error_http(NULL), 0);
    assert_false(error_is_reason(NULL, "NotFound"));
    assert_null(error_copy(NULL));
    error_free(NULL);
}

static void test_http(void **state)
{
    _cleanup_error_ struct error *err = NULL, *copy = NULL;

    (void)state;
    assert_int_equal(error_set_http(&err, -EEXIST, 409, STR("AlreadyExists"), "%s exists", "x"), -EEXIST);
    assert_int_equal(error_wrap(&err, "create"), -EEXIST);
    assert_int_equal(error_http(err), 409);
    assert_true(error_is_reason(err, "AlreadyExists"));
    copy = error_copy(err);
    assert_string_equal(copy->msg, "create: x exists");
    assert_true(error_is_reason(copy, "AlreadyExists"));
    error_set_http(&err, -EIO, 500, STR_NULL, "no reason");
    assert_null(err->reason);
    error_set(&err, -EIO, "plain");
    assert_int_equal(error_http(err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_and_wrap),
        cmocka_unit_test(test_without_place),
        cmocka_unit_test(test_http),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
