/* What --master may be. */
#include "unit.h"

#include "host.h"

static void master(void **state)
{
    static const struct {
        const char *url;
        bool taken;
    } rows[] = {
        { "", true },
        { "https://host:6443/prefix", true },
        { "host", true },
        { "https://[::1]:6443", true },
        { "https://me:s3cret@host", false },
        { "https://s3cret@host", false },
        { "me:s3cret@host", false },
        { "https://me:s3/cret@host", false },
        { "@", false },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_error_ struct error *err = NULL;
        int r = host_check_master(str_of(rows[i].url), &err);
        if (r != (rows[i].taken ? 0 : -EINVAL) || (err != NULL) != (r < 0))
            fail_msg("%s: %d %s", rows[i].url, r, error_msg(err));
        if (err) {
            assert_null(strstr(err->msg, "cret"));
            assert_non_null(strstr(err->msg, "--kubeconfig"));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(master) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
