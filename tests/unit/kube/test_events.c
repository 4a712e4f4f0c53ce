/*
 * Kubernetes Events (controllers.md 2.7): what is written for one, counting of identical ones, combining of similar ones,
 * the token bucket, and what happens to writes that fail.
 */
#include "json/json.h"
#include "kube/events.h"
#include "kube_test.h"

#define EVENTS "/api/v1/namespaces/ns/events"

static struct kube_client *client;
static struct event_recorder *recorder;
static bool hold;        /* leave requests without answer */
static int refuse_patch; /* status for PATCH, 0: works */
static int refuse_post;
static struct raw_conn *held[8];
static size_t n_held;
static char *bodies[64], *targets[64];
static size_t n_bodies;

static void handle(struct fake_api *a, const struct fake_request *req)
{
    bool patch = strcmp(req->method, "PATCH") == 0;
    int refuse = patch ? refuse_patch : refuse_post;

    (void)a;
    assert_true(n_bodies < ARRAY_SIZE(bodies));
    targets[n_bodies] = mem_printf("%s %s", req->method, req->path);
    bodies[n_bodies++] = mem_strdup(req->body);
    if (hold)
        held[n_held++] = req->conn;
    else if (refuse)
        fake_refuse(req->conn, refuse, "x", "refused");
    else
        fake_reply(req->conn, patch ? 200 : 201, NULL, "{}");
}

static int set_up(void **state)
{
    (void)state;
    if (loop_new(&loop, NULL) < 0)
        return -1;
    fake_api_start(&api, loop, handle);
    client = new_client(NULL);
    recorder = event_recorder_new(client);
    hold = false;
    refuse_patch = refuse_post = 0;
    n_held = n_bodies = 0;
    return 0;
}

static void forget_requests(void)
{
    for (size_t i = 0; i < n_bodies; i++) {
        free(bodies[i]);
        free(targets[i]);
    }
    n_bodies = 0;
}

static int tear_down(void **state)
{
    (void)state;
    event_recorder_free(recorder);
    kube_client_free(client);
    fake_api_stop(&api);
    loop_free(loop);
    forget_requests();
    return 0;
}

static const struct event_object web = { { "types.kubefed.io/v1beta1", 24 },
                                         { "FederatedDeployment", 19 },
                                         { "ns", 2 },
                                         { "web", 3 },
                                         { "uid-1", 5 },
                                         { "77", 2 } };

static void record_on(const struct event_object *on, const char *reason, const char *message)
{
    event_record(recorder, "test-component", on, "Normal", reason, str_of(message));
}

static void record(const char *reason, const char *message)
{
    record_on(&web, reason, message);
}

/* Everything recorded was written. */
static void flush(void)
{
    WAIT_FOR(event_recorder_pending(recorder) == 0);
}

static yyjson_doc *body(size_t i)
{
    yyjson_doc *doc = NULL;

    assert_true(i < n_bodies);
    assert_int_equal(json_parse(str_of(bodies[i]), &doc, NULL), 0);
    return doc;
}

static void check_body(size_t i, const char *message, int64_t count)
{
    _cleanup_json_ yyjson_doc *doc = body(i);

    assert_str(json_path_str(yyjson_doc_get_root(doc), "message"), message);
    assert_int_equal(json_path_i64(yyjson_doc_get_root(doc), "count", -1), count);
}

static void first_event(void **state)
{
    (void)state;
    int64_t at;

    record("CreateInCluster", "Creating it");
    assert_int_equal(event_recorder_pending(recorder), 1);
    assert_int_equal(n_bodies, 0); /* later */
    flush();
    assert_int_equal(n_bodies, 1);
    assert_string_equal(targets[0], "POST " EVENTS);
    _cleanup_json_ yyjson_doc *doc = body(0);
    yyjson_val *r = yyjson_doc_get_root(doc);
    struct str name = json_path_str(r, "metadata.name");
    assert_str(json_path_str(r, "apiVersion"), "v1");
    assert_str(json_path_str(r, "kind"), "Event");
    assert_str(json_path_str(r, "metadata.namespace"), "ns");
    assert_true(str_has_prefix(name, STR("web.")) && name.n > 10);
    for (size_t i = 4; i < name.n; i++)
        assert_non_null(strchr("0123456789abcdef", name.p[i]));
    assert_str(json_path_str(r, "involvedObject.apiVersion"), "types.kubefed.io/v1beta1");
    assert_str(json_path_str(r, "involvedObject.kind"), "FederatedDeployment");
    assert_str(json_path_str(r, "involvedObject.namespace"), "ns");
    assert_str(json_path_str(r, "involvedObject.name"), "web");
    assert_str(json_path_str(r, "involvedObject.uid"), "uid-1");
    assert_str(json_path_str(r, "involvedObject.resourceVersion"), "77");
    assert_str(json_path_str(r, "type"), "Normal");
    assert_str(json_path_str(r, "reason"), "CreateInCluster");
    assert_str(json_path_str(r, "source.component"), "test-component");
    assert_int_equal(time_parse_rfc3339(json_path_str(r, "firstTimestamp"), &at), 0);
    assert_true(at >= time_wall_s() - 60);
    assert_str(json_path_str(r, "lastTimestamp"), json_path_str(r, "firstTimestamp").p);
    check_body(0, "Creating it", 1);
}

static void cluster_scoped_object(void **state)
{
    (void)state;
    struct event_object node = web;

    node.ns = STR("");
    record_on(&node, "R", "m");
    flush();
    assert_string_equal(targets[0], "POST /api/v1/namespaces/default/events");
}

/* Identical events raise the count of the first. */
static void counted(void **state)
{
    (void)state;
    record("R", "m");
    record("R", "m");
    record("R", "m");
    flush();
    assert_int_equal(n_bodies, 3);
    _cleanup_json_ yyjson_doc *doc = body(0);
    struct str name = json_path_str(yyjson_doc_get_root(doc), "metadata.name");
    _cleanup_free_ char *want = mem_printf("PATCH " EVENTS "/%" PRIstr, STRARG(name));
    assert_string_equal(targets[1], want);
    assert_string_equal(targets[2], want);
    check_body(1, "m", 2);
    check_body(2, "m", 3);
}

/* Writes of one event stay in order: a count must not overtake its event. */
static void one_after_another(void **state)
{
    (void)state;
    hold = true;
    record("R", "m");
    record("R", "m");
    record("Other", "m");
    WAIT_FOR(n_held == 2);
    run_for(150);
    assert_int_equal(n_held, 2);
    assert_string_equal(targets[0], "POST " EVENTS);
    assert_string_equal(targets[1], "POST " EVENTS);
    hold = false;
    fake_reply(held[0], 201, NULL, "{}");
    fake_reply(held[1], 201, NULL, "{}");
    flush();
    assert_int_equal(strncmp(targets[2], "PATCH ", 6), 0);
}

/* From the 10th distinct message on they become one event. */
static void combined(void **state)
{
    (void)state;
    for (int i = 1; i <= 12; i++) {
        _cleanup_free_ char *message = mem_printf("message %d", i);
        record("R", message);
        flush();
    }
    assert_int_equal(n_bodies, 12);
    for (size_t i = 0; i < 10; i++)
        assert_string_equal(targets[i], "POST " EVENTS);
    check_body(8, "message 9", 1);
    check_body(9, "(combined from similar events): message 10", 1);
    assert_int_equal(strncmp(targets[10], "PATCH ", 6), 0);
    check_body(10, "(combined from similar events): message 11", 2);
    check_body(11, "(combined from similar events): message 12", 3);
}

/* Only what is similar: another reason, type, source or object has its own count of messages. */
static void not_similar(void **state)
{
    (void)state;
    struct event_object other = web;

    other.name = STR("other");
    other.uid = STR("uid-2");
    for (int i = 1; i <= 9; i++) {
        _cleanup_free_ char *message = mem_printf("message %d", i);
        record("R", message);
    }
    record("Other", "x");
    record_on(&other, "R", "x");
    event_record(recorder, "test-component", &web, "Warning", "R", STR("x"));
    event_record(recorder, "other-component", &web, "Normal", "R", STR("x"));
    flush();
    assert_int_equal(n_bodies, 13);
    for (size_t i = 0; i < n_bodies; i++)
        assert_null(strstr(bodies[i], "combined"));
}

/* 25 events per source and object, then silence; others go on. */
static void token_bucket(void **state)
{
    (void)state;
    struct event_object other = web;

    other.name = STR("other");
    other.uid = STR("uid-2");
    for (int i = 0; i < 40; i++)
        record("R", "m");
    flush();
    assert_int_equal(n_bodies, 25);
    check_body(24, "m", 25);
    record_on(&other, "R", "m");
    flush();
    assert_int_equal(n_bodies, 26);
}

/* The server forgot the event: it is written anew, with its count. */
static void expired_event(void **state)
{
    (void)state;
    record("R", "m");
    flush();
    refuse_patch = 404;
    record("R", "m");
    flush();
    assert_int_equal(n_bodies, 3);
    assert_string_equal(targets[2], "POST " EVENTS);
    check_body(2, "m", 2);
    _cleanup_json_ yyjson_doc *first = body(0), *again = body(2);
    assert_true(str_eq(json_path_str(yyjson_doc_get_root(first), "metadata.name"),
                       json_path_str(yyjson_doc_get_root(again), "metadata.name")));
    assert_true(str_eq(json_path_str(yyjson_doc_get_root(first), "firstTimestamp"),
                       json_path_str(yyjson_doc_get_root(again), "firstTimestamp")));
}

static void refused(void **state)
{
    (void)state;
    refuse_post = 403;
    record("R", "m");
    flush();
    run_for(5);
    assert_int_equal(n_bodies, 1); /* a refusal is final */
}

/* What may pass is tried again, later; the recorder may go meanwhile. */
static void broken_server(void **state)
{
    (void)state;
    refuse_post = 500;
    record("R", "m");
    WAIT_FOR(n_bodies == 1);
    run_for(5);
    assert_int_equal(event_recorder_pending(recorder), 1);
}

static void full_queue(void **state)
{
    (void)state;
    for (int i = 0; i < 1500; i++) {
        struct event_object o = web;
        _cleanup_free_ char *name = mem_printf("web-%d", i);

        o.name = str_of(name);
        record_on(&o, "R", "m");
    }
    assert_int_equal(event_recorder_pending(recorder), 1000);
}

static void long_message(void **state)
{
    (void)state;
    char text[3001];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    record("R", text);
    flush();
    _cleanup_json_ yyjson_doc *doc = body(0);
    assert_int_equal(json_path_str(yyjson_doc_get_root(doc), "message").n, 1024); /* what API servers accept */
}

static void freed_while_writing(void **state)
{
    (void)state;
    hold = true;
    record("R", "a");
    record("S", "b");
    WAIT_FOR(n_held == 2);
    event_recorder_free(TAKE_PTR(recorder));
    run_for(5);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(first_event),
        T(cluster_scoped_object),
        T(counted),
        T(one_after_another),
        T(combined),
        T(not_similar),
        T(token_bucket),
        T(expired_event),
        T(refused),
        T(broken_server),
        T(full_queue),
        T(long_message),
        T(freed_while_writing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
