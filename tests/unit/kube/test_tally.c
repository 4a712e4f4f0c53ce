/* What is counted of requests, lists, watches and caches: exact numbers, and no more than has a place. */
#include "kube/informer.h"
#include "kube_test.h"

#define PATH "/apis/apps/v1/namespaces/one/deployments"
#define OBJECT(name, rv)                                                                                               \
    "{\"metadata\":{\"namespace\":\"one\",\"name\":\"" name "\",\"uid\":\"u-" name "\",\"resourceVersion\":\"" rv "\"}}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"

static struct raw_conn *watching;

static void handle(struct fake_api *a, const struct fake_request *req)
{
    (void)a;
    if (strstr(req->query, "watch=true")) {
        fake_stream_begin(req->conn);
        watching = req->conn;
    } else if (strcmp(req->path, PATH) == 0) {
        fake_reply(req->conn, 200, NULL,
                   "{\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[" OBJECT("a", "5") "," OBJECT("b", "6") "]}");
    } else if (strcmp(req->path, "/none") == 0) {
        fake_refuse(req->conn, 404, "NotFound", "no");
    } else if (strcmp(req->path, "/silent") != 0) {
        fake_reply(req->conn, 201, NULL, "{}");
    }
}

static int set_up(void **state)
{
    (void)state;
    watching = NULL;
    if (loop_new(&loop, NULL) < 0)
        return -1;
    fake_api_start(&api, loop, handle);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_api_stop(&api);
    loop_free(loop);
    return 0;
}

static const struct kube_host_tally *only_host(const struct kube_client *c)
{
    size_t i = 0;
    const struct kube_host_tally *h = kube_tally_next_host(kube_client_tally(c), &i);
    assert_non_null(h);
    assert_null(kube_tally_next_host(kube_client_tally(c), &i));
    return h;
}

static uint64_t count_of(const struct kube_host_tally *h, const char *method, int code)
{
    for (size_t i = 0; i < h->n; i++)
        if (h->v[i].code == code && strcmp(h->v[i].method, method) == 0)
            return h->v[i].n;
    return 0;
}

static void call(struct kube_client *c, const char *method, const char *path)
{
    _cleanup_answer_ struct answer a = { 0 };
    kube_call(c, &(struct kube_request){ .method = method, .path = str_of(path), .timeout_ms = 300 }, on_answer, &a);
    WAIT_FOR(a.done);
}

static void requests_by_method_and_code(void **state)
{
    (void)state;
    struct kube_client *c = new_client(NULL);
    call(c, "POST", "/some");
    call(c, "POST", "/some");
    call(c, "DELETE", "/some");
    call(c, "OPTIONS", "/some");
    call(c, "GET", "/none");
    call(c, "GET", "/silent"); /* the deadline ends it */
    const struct kube_host_tally *h = only_host(c);
    _cleanup_free_ char *host = mem_printf("127.0.0.1:%u", api.raw.port);
    assert_string_equal(h->host, host);
    assert_int_equal(count_of(h, "POST", 201), 2);
    assert_int_equal(count_of(h, "DELETE", 201), 1);
    assert_int_equal(count_of(h, "other", 201), 1);
    assert_int_equal(count_of(h, "GET", 404), 1);
    assert_int_equal(count_of(h, "GET", 0), 1);
    assert_int_equal(h->n, 5);
    assert_int_equal(stats_of(c).by_code[0], 1);
    assert_int_equal(stats_of(c).by_code[2], 4);
    kube_client_free(c);
}

static void there_is_an_end_to_what_is_counted(void **state)
{
    (void)state;
    _cleanup_(kube_tally_unrefp) struct kube_tally *t = kube_tally_new();
    struct kube_host_tally *h = kube_tally_host(t, STR("a:1"));
    for (int code = 100; code < 100 + 2 * (int)KUBE_TALLY_CODES_MAX; code++)
        kube_tally_request(h, "GET", code);
    assert_int_equal(h->n, KUBE_TALLY_CODES_MAX);
    assert_int_equal(h->other, KUBE_TALLY_CODES_MAX);
    assert_ptr_equal(kube_tally_host(t, STR("a:1")), h);
    size_t n = 0;
    for (unsigned i = 0; i < 5000; i++) {
        _cleanup_free_ char *name = mem_printf("h%u", i), *path = mem_printf("/apis/g%u/v1/things", i);
        kube_tally_host(t, str_of(name));
        kube_tally_reflector(t, str_of(path));
    }
    for (size_t i = 0; kube_tally_next_host(t, &i); n++)
        ;
    assert_int_equal(n, 4097);
    n = 0;
    for (size_t i = 0; kube_tally_next_reflector(t, &i); n++)
        ;
    assert_int_equal(n, 1025);
}

static void names_of_resources(void **state)
{
    (void)state;
    static const struct {
        const char *path, *name;
    } cases[] = {
        { "/api/v1/configmaps", "configmaps" },
        { "/api/v1/namespaces/one/pods", "pods" },
        { "/api/v1/namespaces", "namespaces" },
        { "/apis/apps/v1/deployments", "deployments.apps" },
        { "/apis/core.kubefed.io/v1beta1/namespaces/sys/kubefedclusters", "kubefedclusters.core.kubefed.io" },
    };
    _cleanup_(kube_tally_unrefp) struct kube_tally *t = kube_tally_new();
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_string_equal(kube_tally_reflector(t, str_of(cases[i].path))->name, cases[i].name);
}

static void lists_watches_and_caches(void **state)
{
    (void)state;
    struct kube_client *c = new_client(NULL);
    const struct kube_cache *cache = kube_client_cache(c);
    const struct kube_reflector_tally *r = kube_tally_reflector(kube_client_tally(c), STR(PATH));
    struct kube_informer *i = kube_informer_start(&(struct kube_informer_config){ .client = c, .path = PATH });
    WAIT_FOR(watching);
    assert_string_equal(r->name, "deployments.apps");
    assert_int_equal(r->lists, 1);
    assert_int_equal(r->lists_done, 1);
    assert_int_equal(r->list_items, 2);
    assert_int_equal(r->watches, 1);
    assert_int_equal(r->version, 7);
    assert_int_equal(cache->objects, 2);
    size_t two = cache->bytes;
    assert_true(two > 2 * sizeof(struct kube_object));
    fake_stream_send(watching, EVENT("ADDED", OBJECT("c", "8")) EVENT("DELETED", OBJECT("a", "9")));
    WAIT_FOR(r->version == 9);
    assert_int_equal(cache->objects, 2);
    assert_int_equal(cache->bytes, two);
    fake_stream_end(TAKE_PTR(watching));
    WAIT_FOR(watching);
    assert_int_equal(r->watches, 2);
    assert_int_equal(r->watches_done, 1);
    assert_int_equal(r->watch_items, 2);
    assert_int_equal(r->short_watches, 0);
    kube_informer_stop(i);
    assert_int_equal(cache->objects, 0);
    assert_int_equal(cache->bytes, 0);
    kube_client_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(requests_by_method_and_code, set_up, tear_down),
        cmocka_unit_test(there_is_an_end_to_what_is_counted),
        cmocka_unit_test(names_of_resources),
        cmocka_unit_test_setup_teardown(lists_watches_and_caches, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
