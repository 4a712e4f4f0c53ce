/*
 * The admission server's handler: lines with method, path, query and content type, and then the body. Every answer is a known status
 * with a type; a review is answered by a review, to the uid that was asked, counted once; anything else is told to be none. What can be
 * peeked at is what parsing finds. With the query "many" the body goes on with more values than are read, and is denied unread.
 */
#include "fuzz.h"
#include "json/count.h"
#include "webhook/admit.h"
#include "webhook/review.h"

#define BODY_MAX ((size_t)4 << 20)

static uint64_t counted(const struct admit *a)
{
    uint64_t n = 0;

    for (size_t i = 0; i < ADMIT_PATHS; i++)
        n += a->counts[i].allowed + a->counts[i].denied + a->counts[i].malformed;
    return n;
}

static void check_peek(struct str body, const struct review *r)
{
    struct review p;
    bool found = review_peek(body, &p);

    FUZZ_CHECK(found == !str_empty(r->uid));
    FUZZ_CHECK(!found || (str_eq(p.uid, r->uid) && str_eq(p.api_version, r->api_version)));
}

static void check_review(struct str body, struct str type, const struct http_server_response *resp, bool defaults)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    struct review r = { 0 };
    bool json = str_eqc(type, "application/json"), large = json && json_count_values(body) > REVIEW_MAX_VALUES;
    bool asked = large ? review_peek(body, &r) : json && review_decode(body, &r, NULL) == 0;

    FUZZ_CHECK(resp->status == 200 && strcmp(resp->content_type, "application/json") == 0);
    FUZZ_CHECK(json_parse(buf_str(&resp->body), &doc, NULL) == 0);
    yyjson_val *root = yyjson_doc_get_root(doc), *response = json_get(root, "response");
    int64_t code = json_path_i64(response, "status.code", 0);
    bool allowed = json_path_bool(response, "allowed", code != 200);
    FUZZ_CHECK(allowed == (code == 200) && (allowed || code == 400 || code == (large ? 413 : 403)));
    FUZZ_CHECK(!large || !allowed);
    FUZZ_CHECK(allowed || json_path_str(response, "status.message").n > 0);
    FUZZ_CHECK(str_eqc(json_path_str(root, "kind"), asked ? "AdmissionReview" : ""));
    /* What was not parsed may hold bytes that no JSON has. */
    FUZZ_CHECK(large || str_eq(json_path_str(response, "uid"), asked ? r.uid : STR("")));
    FUZZ_CHECK(str_eq(json_path_str(root, "apiVersion"), asked ? r.api_version : STR("")));
    FUZZ_CHECK(asked || code == 400);
    FUZZ_CHECK(!json_get(response, "patch") || (defaults && allowed));
    if (asked && !large && !memchr(body.p, '\\', body.n))
        check_peek(body, &r);
    review_done(&r);
}

static bool next_line(struct str *rest, struct str *ret)
{
    return str_cut(*rest, '\n', ret, rest);
}

static void go_on(struct buf *out, struct str body)
{
    buf_adds(out, body);
    for (size_t i = 0; i <= REVIEW_MAX_VALUES; i++)
        buf_addz(out, ",1");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct admit a = { 0 };
    struct str rest = str_n((const char *)data, size), method, path, query, type;
    struct http_server_response resp = { .status = -1, .body = BUF_INIT(BODY_MAX) };

    if (!next_line(&rest, &method) || !next_line(&rest, &path) || !next_line(&rest, &query) || !next_line(&rest, &type))
        return 0;
    _cleanup_buf_ struct buf longer = BUF_INIT(BUF_MAX_DEFAULT);
    if (str_eqc(query, "many")) {
        go_on(&longer, rest);
        rest = buf_str(&longer);
    }
    const struct http_header headers[] = { { STR("content-type"), type } };
    struct http_server_request req = {
        .method = method, .path = path, .query = query, .headers = headers, .n_headers = 1, .body = rest
    };
    admit_serve(&a, &req, &resp);
    FUZZ_CHECK(resp.content_type && !buf_failed(&resp.body));
    FUZZ_CHECK((resp.status == 301) == (resp.location != NULL));
    if (counted(&a)) {
        FUZZ_CHECK(counted(&a) == 1 && str_eqc(method, "POST"));
        check_review(rest, type, &resp, str_has_prefix(path, STR("/default-")));
    } else {
        FUZZ_CHECK(resp.status == 200 || resp.status == 301 || resp.status == 404 || resp.status == 405);
        FUZZ_CHECK(str_has_prefix(str_of(resp.content_type), STR("text/plain")));
    }
    buf_done(&resp.body);
    return 0;
}
