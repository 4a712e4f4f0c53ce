/* Refusals of API servers as errors: codes, reasons, and messages that name what was asked of whom. */
#include "json/json.h"
#include "kube/apierror.h"
#include "unit.h"

static struct error *error_of(int status, const char *type, const char *body)
{
    struct api_answer a = { .method = "PUT",
                            .path = STR("/api/v1/pods/p"),
                            .server = "https://api.example",
                            .status = status,
                            .content_type = str_of(type),
                            .body = str_of(body) };
    struct error *err = NULL;
    int r = api_error_from(&a, &err);

    assert_non_null(err);
    assert_int_equal(r, err->code);
    assert_true(r < 0);
    assert_int_equal(err->http_status, status);
    return err;
}

static void check_code(int status, const char *reason, int code)
{
    assert_int_equal(api_error_code(status, str_of(reason)), code);
}

static void codes(void **state)
{
    (void)state;
    check_code(400, "BadRequest", -EBADMSG);
    check_code(422, "Invalid", -EBADMSG);
    check_code(401, "Unauthorized", -EACCES);
    check_code(403, "Forbidden", -EACCES);
    check_code(404, "NotFound", -ENOENT);
    check_code(409, "AlreadyExists", -EEXIST);
    check_code(409, "Conflict", -ESTALE);
    check_code(409, "", -ESTALE);
    check_code(410, "Expired", -ESTALE);
    check_code(429, "TooManyRequests", -EAGAIN);
    check_code(500, "InternalError", -EIO);
    check_code(503, "ServiceUnavailable", -EIO);
    check_code(504, "Timeout", -EIO);
}

static void status_object(void **state)
{
    (void)state;
    _cleanup_error_ struct error *err = error_of(
        409, "application/json",
        " {\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"message\":\"Operation cannot be fulfilled\","
        "\"reason\":\"Conflict\",\"code\":409}");

    assert_int_equal(err->code, -ESTALE);
    assert_string_equal(err->reason, "Conflict");
    assert_string_equal(err->msg,
                        "Operation cannot be fulfilled"); /* the server's words alone, as kubectl shows them */
}

static void status_without_words(void **state)
{
    (void)state;
    _cleanup_error_ struct error *reason = error_of(403, "", "{\"kind\":\"Status\",\"reason\":\"Forbidden\"}");
    _cleanup_error_ struct error *nothing = error_of(404, "", "{\"kind\":\"Status\",\"message\":7}");

    assert_string_equal(reason->msg, "Forbidden");
    assert_string_equal(nothing->msg, "Not Found");
}

static void check_text(int status, const char *type, const char *body, const char *want)
{
    _cleanup_error_ struct error *err = error_of(status, type, body);

    assert_string_equal(err->msg, want);
}

/* What is not from an API server is described by request, server and status. */
static void other_answers(void **state)
{
    (void)state;
#define BASE "PUT /api/v1/pods/p: https://api.example answered "
    check_text(503, "text/plain; charset=utf-8", "no backend\nmore\n", BASE "503 Service Unavailable: no backend");
    check_text(502, "text/html", "<html>secret</html>", BASE "502 Bad Gateway");
    check_text(500, "text/plain", "bad \xff", BASE "500 Internal Server Error");
    check_text(404, "application/json", "{\"kind\":\"Other\"}", BASE "404 Not Found");
    check_text(404, "application/json", "{broken", BASE "404 Not Found");
    check_text(404, "application/json", "", BASE "404 Not Found");
    check_text(404, "application/json", "   ", BASE "404 Not Found");
}

static void reasons_without_status(void **state)
{
    (void)state;
    _cleanup_error_ struct error *gone = error_of(410, "", ""), *missing = error_of(404, "", ""),
                                 *teapot = error_of(418, "", "");

    assert_true(error_is_reason(gone, "Gone"));
    /* An object that is not there comes with a Status; without one it is the path that nobody knows. */
    assert_null(missing->reason);
    assert_int_equal(missing->code, -ENOENT);
    assert_null(teapot->reason);
    assert_int_equal(teapot->code, -EIO);
}

static void long_texts(void **state)
{
    (void)state;
    _cleanup_buf_ struct buf b = BUF_INIT(BUF_MAX_DEFAULT);

    buf_addz(&b, "{\"kind\":\"Status\",\"message\":\"");
    for (int i = 0; i < 3000; i++)
        buf_addz(&b, "\xc3\xa9");
    buf_addz(&b, "\"}");
    _cleanup_error_ struct error *err = error_of(500, "", b.p);
    size_t n = strlen(err->msg);
    assert_true(n <= 4096 && n > 4000 && n % 2 == 0); /* cut between characters */
}

static void watch_errors(void **state)
{
    (void)state;
    static const struct {
        const char *status;
        int http, code;
    } cases[] = {
        { "{\"code\":410,\"reason\":\"Expired\",\"message\":\"too old\"}", 410, -ESTALE },
        { "{\"message\":\"too old\"}", 500, -EIO },
        { "{\"code\":7,\"message\":\"too old\"}", 500, -EIO },
        { "{\"code\":\"x\",\"message\":\"too old\"}", 500, -EIO },
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_json_ yyjson_doc *doc = NULL;
        _cleanup_error_ struct error *err = NULL;

        assert_int_equal(json_parse(str_of(cases[i].status), &doc, NULL), 0);
        assert_int_equal(api_error_from_status(yyjson_doc_get_root(doc), &err), cases[i].code);
        assert_int_equal(err->http_status, cases[i].http);
        assert_string_equal(err->msg, "too old");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes),
        cmocka_unit_test(status_object),
        cmocka_unit_test(status_without_words),
        cmocka_unit_test(other_answers),
        cmocka_unit_test(reasons_without_status),
        cmocka_unit_test(long_texts),
        cmocka_unit_test(watch_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
