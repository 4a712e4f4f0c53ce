/*
 * Informers (controllers.md 2.3) against a fake API server: lists in pages, watches, resuming, relisting, what the cache
 * takes from own writes, and when they may be stopped.
 */
#include "kube/informer.h"
#include "kube_test.h"

#define PATH "/api/v1/things"
#define OTHERS "/api/v1/others"

/* The answers of the next lists (status 0: none comes); the last one is repeated. */
static struct {
    int status;
    const char *body;
} lists[24];
static size_t n_lists, next_list;
static struct raw_conn *listing;  /* the last list */
static struct raw_conn *watching; /* the watch that is open */
static int watch_status;          /* refuses watches when not 0 */
static unsigned n_watches;
static const char *others; /* list of OTHERS */
static unsigned n_lists_of_others, n_watches_of_others;

static struct kube_client *client;
static struct kube_informer *informer;
static struct buf changes; /* "+key@rv " "key@old>new " "-key@rv " */
static struct buf states;
static bool stop_on_change, stop_on_state, stop_on_deleted;

static void handle_others(const struct fake_request *req)
{
    if (strstr(req->query, "watch=true")) {
        n_watches_of_others++;
        fake_stream_begin(req->conn);
    } else {
        n_lists_of_others++;
        fake_reply(req->conn, 200, NULL, others);
    }
}

static void handle(struct fake_api *a, const struct fake_request *req)
{
    (void)a;
    if (strcmp(req->path, OTHERS) == 0) {
        handle_others(req);
        return;
    }
    assert_string_equal(req->path, PATH);
    if (!strstr(req->query, "watch=true")) {
        size_t i = MIN(next_list, n_lists - 1);
        next_list++;
        listing = req->conn;
        if (lists[i].status == 200)
            fake_reply(req->conn, 200, NULL, lists[i].body);
        else if (lists[i].status)
            fake_refuse(req->conn, lists[i].status, lists[i].body, "refused");
        return;
    }
    n_watches++;
    if (watch_status) {
        fake_refuse(req->conn, watch_status, "Expired", "too old");
        return;
    }
    fake_stream_begin(req->conn);
    watching = req->conn;
}

static void gone(void *arg, struct raw_conn *c)
{
    (void)arg;
    if (c == watching)
        watching = NULL;
}

static void script(int status, const char *body)
{
    lists[n_lists].status = status;
    lists[n_lists++].body = body;
}

static int set_up(void **state)
{
    (void)state;
    if (loop_new(&loop, NULL) < 0)
        return -1;
    fake_api_start(&api, loop, handle);
    api.raw.gone = gone;
    client = new_client(NULL);
    informer = NULL;
    n_lists = next_list = n_watches = n_lists_of_others = n_watches_of_others = 0;
    watching = NULL;
    watch_status = 0;
    stop_on_change = stop_on_state = stop_on_deleted = false;
    changes = states = BUF_INIT(BUF_MAX_DEFAULT);
    buf_addz(&changes, "");
    buf_addz(&states, "");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    kube_informer_stop(informer);
    kube_client_free(client);
    fake_api_stop(&api);
    loop_free(loop);
    buf_done(&changes);
    buf_done(&states);
    return 0;
}

static void on_change(void *arg, struct kube_object *old, struct kube_object *now)
{
    struct kube_object *o = now ? now : old;

    (void)arg;
    /* The cache changes first. */
    assert_ptr_equal(kube_informer_get(informer, kube_object_key(o)), now);
    if (!old || !now)
        buf_printf(&changes, "%s%" PRIstr "@%" PRIstr " ", now ? "+" : "-", STRARG(kube_object_key(o)),
                   STRARG(kube_object_rv(o)));
    else
        buf_printf(&changes, "%" PRIstr "@%" PRIstr ">%" PRIstr " ", STRARG(kube_object_key(o)),
                   STRARG(kube_object_rv(old)), STRARG(kube_object_rv(now)));
    if (stop_on_change)
        kube_informer_stop(TAKE_PTR(informer));
}

static void on_state(void *arg, enum kube_informer_state state, const struct error *err)
{
    static const char *const names[] = { "listing", "synced", "missing", "failing" };

    (void)arg;
    buf_printf(&states, "%s%s ", names[state], err ? "!" : "");
    if (stop_on_state)
        kube_informer_stop(TAKE_PTR(informer));
}

static void start_with(struct kube_informer_config config)
{
    config.client = client;
    config.path = PATH;
    config.on_change = on_change;
    config.on_state = on_state;
    informer = kube_informer_start(&config);
}

static void start(void)
{
    start_with((struct kube_informer_config){ 0 });
}

/* Everything that was called so far is this; forgets it. */
static void expect_changes(const char *want)
{
    assert_string_equal(changes.p, want);
    buf_reset(&changes);
    buf_addz(&changes, "");
}

#define OBJECT(ns, name, uid, rv)                                                                                      \
    "{\"metadata\":{\"namespace\":\"" ns "\",\"name\":\"" name "\",\"uid\":\"" uid "\",\"resourceVersion\":\"" rv "\"}}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"
#define BOOKMARK(rv) EVENT("BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"" rv "\"}}")
#define LIST(rv, items) "{\"kind\":\"ThingList\",\"metadata\":{\"resourceVersion\":\"" rv "\"},\"items\":[" items "]}"
#define EXPIRED EVENT("ERROR", "{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\",\"message\":\"too old\"}")

/* Synced with objects a (rv 5) and b (rv 6); watches from 10. */
static void start_synced(void)
{
    script(200, LIST("10", OBJECT("ns", "a", "ua", "5") "," OBJECT("ns", "b", "ub", "6")));
    start();
    WAIT_FOR(watching);
    expect_changes("+ns/a@5 +ns/b@6 ");
}

/* Lists are asked for until there were this many, without the waits in between. */
static void hurry(size_t wanted)
{
    WAIT_FOR((kube_informer_kick(informer), next_list >= wanted));
}

/* Method and target of the last request. Owned. */
static char *last_request(void)
{
    struct str log = str_n(api.log.p, api.log.n - 1), head, tail;

    return str_dup(str_rcut(log, ';', &head, &tail) ? tail : log);
}

/* --- lists --- */

static void pages(void **state)
{
    (void)state;
    script(200, "{\"metadata\":{\"resourceVersion\":\"10\",\"continue\":\"a&b\"},\"items\":[" OBJECT("", "a", "ua",
                                                                                                     "5") "]}");
    script(200, "{\"items\":[" OBJECT("", "b", "ub", "6") "],\"metadata\":{\"resourceVersion\":\"11\"}}");
    start_with((struct kube_informer_config){ .page = 1, .label_selector = "x in (y)", .field_selector = "m=n" });
    assert_int_equal(kube_informer_state(informer), KUBE_INFORMER_LISTING);
    WAIT_FOR(watching);
    expect_changes("+a@5 +b@6 ");
    assert_string_equal(states.p, "synced ");
    assert_int_equal(kube_informer_count(informer), 2);
    _cleanup_free_ char *watch = last_request();
#define SELECTORS "&labelSelector=x%20in%20%28y%29&fieldSelector=m%3Dn"
    assert_non_null(strstr(api.log.p, "GET " PATH "?limit=1&resourceVersion=0" SELECTORS ";GET " PATH
                                      "?limit=1&continue=a%26b" SELECTORS ";GET " PATH "?watch=true"));
    assert_non_null(strstr(watch, "?watch=true&allowWatchBookmarks=true&timeoutSeconds="));
    assert_true(str_has_suffix(str_of(watch), STR("&resourceVersion=11" SELECTORS)));
}

static void default_page(void **state)
{
    (void)state;
    script(200, LIST("1", ""));
    start();
    WAIT_FOR(watching);
    assert_true(str_has_prefix(buf_str(&api.log), STR("GET " PATH "?limit=500&resourceVersion=0;")));
    assert_int_equal(kube_informer_state(informer), KUBE_INFORMER_SYNCED);
}

static void odd_items(void **state)
{
    (void)state;
    script(200, LIST("10", "{\"metadata\":{}},7," OBJECT("ns", "a", "ua", "5")));
    start();
    WAIT_FOR(watching);
    expect_changes("+ns/a@5 "); /* what has no name is skipped */
}

static void missing_resource(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++)
        script(404, "NotFound");
    script(200, LIST("10", ""));
    start();
    for (size_t i = 1; i <= 20; i++) { /* at once: one backoff after the other would take minutes */
        WAIT_FOR(next_list == i && kube_informer_state(informer) == KUBE_INFORMER_MISSING);
        assert_int_equal(kube_informer_error(informer)->code, -ENOENT);
        kube_informer_kick(informer);
    }
    WAIT_FOR(watching);
    assert_string_equal(states.p, "missing! synced ");
    assert_null(kube_informer_error(informer));
}

static void failing_list(void **state)
{
    (void)state;
    script(500, "InternalError");
    script(200, "{\"items\":[}");
    script(200, LIST("10", OBJECT("ns", "a", "ua", "5")));
    start();
    WAIT_FOR(kube_informer_state(informer) == KUBE_INFORMER_FAILING);
    assert_int_equal(error_http(kube_informer_error(informer)), 500);
    kube_informer_kick(informer);
    WAIT_FOR(next_list == 2);
    uint64_t begin = time_mono_ms();
    WAIT_FOR(watching); /* by itself */
    assert_true(time_mono_ms() - begin > 400);
    assert_string_equal(states.p, "failing! synced ");
    expect_changes("+ns/a@5 ");
}

/* The continue token expires between two pages: the list begins anew, and not from the server's cache. */
static void expired_page(void **state)
{
    (void)state;
    script(200,
           "{\"metadata\":{\"resourceVersion\":\"10\",\"continue\":\"t\"},\"items\":[" OBJECT("", "a", "ua", "5") "]}");
    script(410, "Expired");
    script(200, LIST("20", OBJECT("", "b", "ub", "15")));
    start();
    WAIT_FOR(kube_informer_state(informer) == KUBE_INFORMER_FAILING);
    kube_informer_kick(informer);
    WAIT_FOR(watching);
    assert_non_null(strstr(api.log.p, "?limit=500&continue=t;GET " PATH "?limit=500;"));
    expect_changes("+a@5 +b@15 -a@5 ");
}

/* --- watches --- */

static void events(void **state)
{
    (void)state;
    start_synced();
    fake_stream_send(watching,
                     EVENT("MODIFIED", OBJECT("ns", "a", "ua", "11")) EVENT("ADDED", OBJECT("ns", "c", "uc", "12")));
    fake_stream_send(watching, EVENT("DELETED", OBJECT("ns", "b", "ub", "13")) BOOKMARK("14"));
    WAIT_FOR(strchr(changes.p, '-'));
    expect_changes("ns/a@5>11 +ns/c@12 -ns/b@6 ");
    assert_int_equal(kube_informer_count(informer), 2);
    assert_null(kube_informer_get(informer, STR("ns/b")));
    fake_stream_send(watching,
                     EVENT("MODIFIED", OBJECT("ns", "a", "ua", "11")) EVENT("ADDED", OBJECT("ns", "c", "uc", "9"))
                         EVENT("DELETED", OBJECT("ns", "x", "ux", "15")) EVENT("ADDED", OBJECT("ns", "d", "ud", "16")));
    WAIT_FOR(changes.n);
    expect_changes("+ns/d@16 "); /* nothing that is known or older */
}

static void on_deleted(void *arg, struct kube_object *last)
{
    (void)arg;
    assert_non_null(kube_informer_get(informer, kube_object_key(last)));
    buf_printf(&changes, "last %" PRIstr "@%" PRIstr " ", STRARG(kube_object_key(last)), STRARG(kube_object_rv(last)));
    if (stop_on_deleted)
        kube_informer_stop(TAKE_PTR(informer));
}

/* A deletion that is seen is told with the last state; what a list does not have any more is not told so. */
static void last_states(void **state)
{
    (void)state;
    script(200, LIST("10", OBJECT("ns", "a", "ua", "5") "," OBJECT("ns", "b", "ub", "6")));
    script(200, LIST("40", ""));
    start_with((struct kube_informer_config){ .on_deleted = on_deleted });
    WAIT_FOR(watching);
    expect_changes("+ns/a@5 +ns/b@6 ");
    fake_stream_send(watching,
                     EVENT("DELETED", OBJECT("ns", "x", "ux", "11")) EVENT("DELETED", OBJECT("ns", "b", "other", "12"))
                         EVENT("DELETED", OBJECT("ns", "b", "ub", "13")));
    WAIT_FOR(changes.n);
    expect_changes("last ns/b@13 -ns/b@6 ");
    fake_stream_send(TAKE_PTR(watching), EXPIRED);
    WAIT_FOR(changes.n);
    expect_changes("-ns/a@5 ");
}

static void stopped_by_deletion(void **state)
{
    (void)state;
    script(200, LIST("10", OBJECT("ns", "a", "ua", "5")));
    start_with((struct kube_informer_config){ .on_deleted = on_deleted });
    WAIT_FOR(watching);
    expect_changes("+ns/a@5 ");
    stop_on_deleted = true;
    fake_stream_send(watching, EVENT("DELETED", OBJECT("ns", "a", "ua", "13")));
    WAIT_FOR(!informer);
    expect_changes("last ns/a@13 ");
}

/* Deleted and made again under the same name, seen as one change or as two. */
static void recreated(void **state)
{
    (void)state;
    start_synced();
    fake_stream_send(watching, EVENT("ADDED", OBJECT("ns", "a", "other", "4")));
    WAIT_FOR(changes.n);
    expect_changes("ns/a@5>4 "); /* another object: versions do not compare */
    fake_stream_send(watching,
                     EVENT("DELETED", OBJECT("ns", "a", "ua", "20")) EVENT("DELETED", OBJECT("ns", "b", "ub", "21")));
    WAIT_FOR(changes.n);
    expect_changes("-ns/b@6 "); /* the end of the first a does not end the second */
}

/* A watch that ends is resumed from the last version that was seen, without a new list. */
static void resumed(void **state)
{
    (void)state;
    start_synced();
    fake_stream_send(watching, EVENT("MODIFIED", OBJECT("ns", "a", "ua", "11")) BOOKMARK("30"));
    WAIT_FOR(changes.n);
    fake_stream_end(TAKE_PTR(watching));
    WAIT_FOR(n_watches == 2 && watching);
    _cleanup_free_ char *after_bookmark = last_request();
    assert_non_null(strstr(after_bookmark, "watch=true"));
    assert_non_null(strstr(after_bookmark, "&resourceVersion=30"));
    fake_stream_send(watching, EVENT("MODIFIED", OBJECT("ns", "a", "ua", "31")));
    WAIT_FOR(strstr(changes.p, "11>31"));
    raw_reset(watching);
    WAIT_FOR(n_watches == 3 && watching);
    _cleanup_free_ char *after_event = last_request();
    assert_non_null(strstr(after_event, "&resourceVersion=31"));
    assert_int_equal(next_list, 1);
    assert_int_equal(kube_informer_state(informer), KUBE_INFORMER_SYNCED);
    assert_string_equal(states.p, "synced ");
}

/* 410: listed anew from the newest version; what vanished is reported as deleted, what stayed is silent. */
static void relisted(bool by_status)
{
    start_synced();
    script(200, LIST("40", OBJECT("ns", "b", "ub", "6") "," OBJECT("ns", "c", "uc", "35")));
    if (by_status) {
        watch_status = 410;
        fake_stream_send(watching, BOOKMARK("11"));
        fake_stream_end(TAKE_PTR(watching));
        WAIT_FOR(n_watches >= 2);
        watch_status = 0;
    } else {
        fake_stream_send(TAKE_PTR(watching), EXPIRED);
    }
    WAIT_FOR(strchr(changes.p, '-'));
    expect_changes("+ns/c@35 -ns/a@5 ");
    assert_non_null(strstr(api.log.p, "GET " PATH "?limit=500;"));
    WAIT_FOR(watching);
    _cleanup_free_ char *again = last_request();
    assert_non_null(strstr(again, "&resourceVersion=40"));
    assert_string_equal(states.p, "synced ");
}

static void relisted_after_error_event(void **state)
{
    (void)state;
    relisted(false);
}

static void relisted_after_410(void **state)
{
    (void)state;
    relisted(true);
}

/* However many lists failed in between, one that lacks an object drops it: each attempt has a mark of its own. */
static void relisted_after_many_failures(void **state)
{
    (void)state;
    start_synced();
    script(500, "InternalError");
    fake_stream_send(TAKE_PTR(watching), EXPIRED);
    hurry(1 + 255);
    script(200, LIST("40", OBJECT("ns", "b", "ub", "6")));
    hurry(1 + 255 + 1);
    WAIT_FOR(watching);
    expect_changes("-ns/a@5 ");
    assert_int_equal(kube_informer_count(informer), 1);
}

/* A server that lists but refuses every watch as too old is not asked in a circle. */
static void no_hot_loop(void **state)
{
    (void)state;
    script(200, LIST("10", ""));
    watch_status = 410;
    start();
    WAIT_FOR(n_watches >= 1);
    run_for(300);
    assert_true(n_watches <= 2);
}

/* Resumed, the watch would begin with the same event for ever: the list that follows skips what cannot be read. */
static void malformed_event(void **state)
{
    (void)state;
    start_synced();
    script(200, LIST("40", OBJECT("ns", "a", "ua", "11") "," OBJECT("ns", "b", "ub", "6")));
    fake_stream_send(watching, EVENT("MODIFIED", OBJECT("ns", "a", "ua", "11")) "nonsense\n");
    WAIT_FOR(n_watches == 2 && watching);
    _cleanup_free_ char *request = last_request();
    assert_non_null(strstr(request, "&resourceVersion=40"));
    expect_changes("ns/a@5>11 ");
    assert_string_equal(states.p, "synced ");
}

/* --- own writes --- */

static struct kube_object *learn(const char *text, bool may_be_new)
{
    _cleanup_json_ yyjson_doc *doc = NULL;

    assert_int_equal(json_parse(str_of(text), &doc, NULL), 0);
    return may_be_new ? kube_informer_learn_new(informer, yyjson_doc_get_root(doc))
                      : kube_informer_learn(informer, yyjson_doc_get_root(doc));
}

static void learned(void **state)
{
    (void)state;
    start_synced();
    struct kube_object *o = learn(OBJECT("ns", "a", "ua", "20"), false);
    assert_ptr_equal(o, kube_informer_get(informer, STR("ns/a")));
    assert_str(kube_object_rv(o), "20");
    assert_null(learn(OBJECT("ns", "a", "ua", "19"), false)); /* older than what is there */
    fake_stream_send(watching,
                     EVENT("MODIFIED", OBJECT("ns", "a", "ua", "15")) EVENT("MODIFIED", OBJECT("ns", "a", "ua", "20"))
                         EVENT("MODIFIED", OBJECT("ns", "b", "ub", "21")));
    WAIT_FOR(changes.n);
    expect_changes("ns/b@6>21 "); /* the events of the own write are silent */
    assert_str(kube_object_rv(kube_informer_get(informer, STR("ns/a"))), "20");
}

/* An answer may show what others did: that must not be swallowed. */
static void learned_from_others(void **state)
{
    (void)state;
    start_synced();
    assert_non_null(
        learn("{\"metadata\":{\"namespace\":\"ns\",\"name\":\"a\",\"uid\":\"ua\",\"resourceVersion\":\"20\","
              "\"generation\":2}}",
              false));
    expect_changes("ns/a@5>20 ");
    assert_non_null(
        learn("{\"metadata\":{\"namespace\":\"ns\",\"name\":\"b\",\"uid\":\"ub\",\"resourceVersion\":\"21\","
              "\"deletionTimestamp\":\"2020-01-01T00:00:00Z\"}}",
              false));
    expect_changes("ns/b@6>21 ");
}

static void learned_new(void **state)
{
    (void)state;
    start_synced();
    assert_null(learn(OBJECT("ns", "n", "un", "20"), false)); /* not in the cache: may be gone already */
    assert_non_null(learn(OBJECT("ns", "n", "un", "20"), true));
    assert_null(learn("{\"metadata\":{}}", true));
    fake_stream_send(watching,
                     EVENT("ADDED", OBJECT("ns", "n", "un", "20")) EVENT("DELETED", OBJECT("ns", "n", "un", "22")));
    WAIT_FOR(changes.n);
    expect_changes("-ns/n@20 ");
    assert_null(learn(OBJECT("ns", "n", "un", "21"), true)); /* a late answer does not bring it back */
    assert_int_equal(kube_informer_count(informer), 2);
}

static void forgotten(void **state)
{
    (void)state;
    start_synced();
    kube_informer_forget(informer, STR("ns/a"), STR("other"));
    assert_non_null(kube_informer_get(informer, STR("ns/a")));
    kube_informer_forget(informer, STR("ns/a"), STR("ua"));
    assert_null(kube_informer_get(informer, STR("ns/a")));
    fake_stream_send(watching,
                     EVENT("MODIFIED", OBJECT("ns", "a", "ua", "15")) EVENT("DELETED", OBJECT("ns", "a", "ua", "16"))
                         EVENT("ADDED", OBJECT("ns", "a", "second", "17")));
    WAIT_FOR(changes.n);
    expect_changes("+ns/a@17 "); /* its past does not bring it back; its successor does come */
}

/* --- objects --- */

static void keep_nothing(void *arg, yyjson_val *live, yyjson_mut_doc *out)
{
    (void)arg;
    json_mut_set_str(out, yyjson_mut_doc_get_root(out), "kept", json_path_str(live, "data.kept"));
}

static void projection(void **state)
{
    (void)state;
    script(200,
           LIST("10", "{\"metadata\":{\"name\":\"a\",\"uid\":\"u\",\"resourceVersion\":\"5\",\"generation\":3,"
                      "\"deletionTimestamp\":\"2020-01-01T00:00:00Z\"},\"data\":{\"kept\":\"x\",\"other\":\"y\"}}"));
    start_with((struct kube_informer_config){ .project = keep_nothing });
    WAIT_FOR(watching);
    struct kube_object *o = kube_informer_get(informer, STR("a"));
    assert_str(kube_object_body(o), "{\"kept\":\"x\"}");
    assert_str(kube_object_name(o), "a");
    assert_str(kube_object_ns(o), "");
    assert_str(kube_object_uid(o), "u");
    assert_true(o->deleting);
    assert_int_equal(o->generation, 3);
}

static struct kube_object *object_of(const char *text)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    struct kube_object *o = NULL;

    assert_int_equal(json_parse(str_of(text), &doc, NULL), 0);
    assert_int_equal(kube_object_new(yyjson_doc_get_root(doc), NULL, NULL, &o, NULL), 0);
    return o;
}

static void hashes(void **state)
{
    (void)state;
    _cleanup_(kube_object_unrefp) struct kube_object *a = object_of(
        "{\"a\":1,\"metadata\":{\"name\":\"n\",\"namespace\":\"s\",\"resourceVersion\":\"1\",\"managedFields\":[1]}}");
    _cleanup_(kube_object_unrefp) struct kube_object *b = object_of(
        "{\"metadata\":{\"resourceVersion\":\"2\",\"namespace\":\"s\",\"name\":\"n\"},\"a\":1}");
    _cleanup_(kube_object_unrefp) struct kube_object *c = object_of(
        "{\"metadata\":{\"resourceVersion\":\"2\",\"namespace\":\"s\",\"name\":\"n\"},\"a\":2}");

    assert_true(a->hash == b->hash); /* neither version nor managedFields count */
    assert_true(b->hash != c->hash);
    assert_str(kube_object_key(a), "s/n");
    assert_str(kube_object_name(a), "n");
    assert_null(memmem(kube_object_body(a).p, kube_object_body(a).n, "managedFields", 13));
    assert_false(a->deleting);
}

/* --- ends --- */

static void stopped_by_change(void **state)
{
    (void)state;
    stop_on_change = true;
    script(200, LIST("10", OBJECT("ns", "a", "ua", "5") "," OBJECT("ns", "b", "ub", "6")));
    start();
    WAIT_FOR(!informer);
    run_for(5);
    expect_changes("+ns/a@5 ");
    assert_string_equal(states.p, "");
    assert_int_equal(n_watches, 0);
}

static void stopped_by_event(void **state)
{
    (void)state;
    start_synced();
    stop_on_change = true;
    fake_stream_send(watching,
                     EVENT("DELETED", OBJECT("ns", "a", "ua", "11")) EVENT("DELETED", OBJECT("ns", "b", "ub", "12")));
    WAIT_FOR(!informer);
    run_for(5);
    expect_changes("-ns/a@5 ");
}

static void stopped_by_vanishing(void **state)
{
    (void)state;
    start_synced();
    script(200, LIST("40", ""));
    stop_on_change = true;
    fake_stream_send(watching, EXPIRED);
    WAIT_FOR(!informer);
    run_for(5);
    assert_non_null(strchr(changes.p, '-'));
    assert_null(strchr(strchr(changes.p, '-') + 1, '-'));
}

static void stopped_by_state(void **state)
{
    (void)state;
    stop_on_state = true;
    script(200, LIST("10", ""));
    start();
    WAIT_FOR(!informer);
    run_for(5);
    assert_string_equal(states.p, "synced ");
    assert_int_equal(n_watches, 0);
}

static void stopped_early(void **state)
{
    (void)state;
    script(0, NULL);
    start();
    kube_informer_stop(TAKE_PTR(informer)); /* before the list is sent */
    run_for(5);
    assert_int_equal(api.n_requests, 0);
    start();
    WAIT_FOR(api.n_requests == 1);
    kube_informer_stop(TAKE_PTR(informer));
    run_for(5);
    expect_changes("");
    assert_string_equal(states.p, "");
}

/* --- a server that refuses what it served (docs/propagation.md, "A type that a member loses") --- */

/* Synced with a and b; then the watch ends, and is refused with this status, as are lists by the script. */
static void start_losing(bool may_vanish, int status)
{
    start_with((struct kube_informer_config){ .may_vanish = may_vanish });
    WAIT_FOR(watching);
    expect_changes("+ns/a@5 +ns/b@6 ");
    watch_status = status;
    fake_stream_send(watching, BOOKMARK("11"));
    fake_stream_end(TAKE_PTR(watching));
}

static void script_synced(void)
{
    script(200, LIST("10", OBJECT("ns", "a", "ua", "5") "," OBJECT("ns", "b", "ub", "6")));
}

static void vanished(int status, const char *reason, enum kube_informer_state want, const char *all_states)
{
    script_synced();
    for (int i = 0; i < 3; i++)
        script(status, reason);
    script(200, LIST("40", OBJECT("ns", "a", "ua", "5")));
    start_losing(true, status);
    hurry(4);
    WAIT_FOR(kube_informer_state(informer) == want);
    assert_int_equal(error_http(kube_informer_error(informer)), status);
    /* What was known stays until a list says otherwise. */
    expect_changes("");
    assert_int_equal(kube_informer_count(informer), 2);
    assert_non_null(kube_informer_get(informer, STR("ns/b")));
    watch_status = 0;
    hurry(5);
    WAIT_FOR(watching);
    assert_string_equal(states.p, all_states);
    assert_null(kube_informer_error(informer));
    expect_changes("-ns/b@6 ");
    assert_int_equal(kube_informer_count(informer), 1);
    /* And on as before. */
    fake_stream_send(watching, EVENT("ADDED", OBJECT("ns", "c", "uc", "41")));
    WAIT_FOR(changes.n);
    expect_changes("+ns/c@41 ");
}

static void vanished_by_404(void **state)
{
    (void)state;
    vanished(404, "NotFound", KUBE_INFORMER_MISSING, "synced missing! synced ");
}

static void vanished_by_403(void **state)
{
    (void)state;
    vanished(403, "Forbidden", KUBE_INFORMER_FAILING, "synced failing! synced ");
}

static void vanished_by_401(void **state)
{
    (void)state;
    vanished(401, "Unauthorized", KUBE_INFORMER_FAILING, "synced failing! synced ");
}

/* Three in a row: what comes between counts them anew, be it another failure or a success. */
static void refusals_in_a_row(void **state)
{
    (void)state;
    script_synced();
    script(404, "NotFound");
    script(403, "Forbidden");
    script(500, "InternalError");
    script(404, "NotFound");
    script(401, "Unauthorized");
    script(200, LIST("40", OBJECT("ns", "a", "ua", "5")));
    start_losing(true, 404);
    hurry(6);
    assert_int_equal(kube_informer_state(informer), KUBE_INFORMER_SYNCED);
    watch_status = 0;
    hurry(7);
    WAIT_FOR(watching);
    assert_string_equal(states.p, "synced ");
    assert_null(kube_informer_error(informer));
    expect_changes("-ns/b@6 ");
}

static void refusals_after_success(void **state)
{
    (void)state;
    script_synced();
    script(404, "NotFound");
    script(404, "NotFound");
    script(200, LIST("20", OBJECT("ns", "a", "ua", "5") "," OBJECT("ns", "b", "ub", "6")));
    script(404, "NotFound");
    script(404, "NotFound");
    script(200, LIST("30", OBJECT("ns", "a", "ua", "5") "," OBJECT("ns", "b", "ub", "6")));
    start_losing(true, 404);
    hurry(3);
    watch_status = 0;
    hurry(4);
    WAIT_FOR(watching);
    watch_status = 404;
    fake_stream_send(watching, BOOKMARK("21"));
    fake_stream_end(TAKE_PTR(watching));
    hurry(6);
    watch_status = 0;
    hurry(7);
    WAIT_FOR(watching);
    assert_string_equal(states.p, "synced ");
    expect_changes("");
}

/* The last word counts: not served, then not allowed. */
static void refused_otherwise(void **state)
{
    (void)state;
    script_synced();
    for (int i = 0; i < 3; i++)
        script(404, "NotFound");
    script(403, "Forbidden");
    script_synced();
    start_losing(true, 404);
    hurry(5);
    WAIT_FOR(kube_informer_state(informer) == KUBE_INFORMER_FAILING);
    watch_status = 0;
    hurry(6);
    WAIT_FOR(watching);
    assert_string_equal(states.p, "synced missing! failing! synced ");
    expect_changes("");
}

/* A cache that may not vanish stays what it was, and one that may does not by other failures. */
static void stays_synced(bool may_vanish, int status, const char *reason)
{
    script_synced();
    for (int i = 0; i < 5; i++)
        script(status, reason);
    script_synced();
    start_losing(may_vanish, 404);
    hurry(6);
    assert_int_equal(kube_informer_state(informer), KUBE_INFORMER_SYNCED);
    watch_status = 0;
    hurry(7);
    WAIT_FOR(watching);
    assert_string_equal(states.p, "synced ");
    expect_changes("");
}

static void may_not_vanish(void **state)
{
    (void)state;
    stays_synced(false, 404, "NotFound");
}

static void fails_otherwise(void **state)
{
    (void)state;
    stays_synced(true, 500, "InternalError");
}

/* May list but not watch: lists keep the cache complete, without haste. */
static void may_only_list(void **state)
{
    (void)state;
    script_synced();
    start_losing(true, 403);
    WAIT_FOR(n_watches >= 2);
    run_for(300);
    assert_true(n_watches <= 4);
    hurry(5);
    assert_int_equal(kube_informer_state(informer), KUBE_INFORMER_SYNCED);
    assert_string_equal(states.p, "synced ");
    expect_changes("");
}

/* --- doubted --- */

/* A watch that is behind does not show it: the newest list tells, and until then the cache does not count as complete. */
static void renewed(void **state)
{
    (void)state;
    start_synced();
    script(0, NULL);
    struct raw_conn *old = watching;
    kube_informer_renew(informer);
    assert_int_equal(kube_informer_state(informer), KUBE_INFORMER_LISTING);
    WAIT_FOR(next_list == 2 && watching != old);
    _cleanup_free_ char *list = last_request();
    assert_string_equal(list, "GET " PATH "?limit=500"); /* no resourceVersion=0 */
    assert_int_equal(kube_informer_state(informer), KUBE_INFORMER_LISTING);
    assert_non_null(kube_informer_get(informer, STR("ns/a")));
    /* Again, while the list is under way; what differs is told, and nothing else. */
    script(200, LIST("20", OBJECT("ns", "a", "ua", "5") "," OBJECT("ns", "c", "uc", "15")));
    kube_informer_renew(informer);
    WAIT_FOR(watching);
    expect_changes("+ns/c@15 -ns/b@6 ");
    assert_string_equal(states.p, "synced listing synced ");
    _cleanup_free_ char *watch = last_request();
    assert_true(str_has_suffix(str_of(watch), STR("&resourceVersion=20")));
}

/* --- a storage that was restored from a backup --- */

#define OBJECT_OF(ns, name, uid, rv, generation)                                                                       \
    "{\"metadata\":{\"namespace\":\"" ns "\",\"name\":\"" name "\",\"uid\":\"" uid "\",\"resourceVersion\":\"" rv      \
    "\",\"generation\":" generation "}}"

/* Synced; a@30 came by the watch, b@32 is the answer to an own write, d was seen to go and e was deleted by us. */
static void start_before_restore(void)
{
    _cleanup_json_ yyjson_doc *b = NULL;

    script(200,
           LIST("10", OBJECT("ns", "a", "ua", "5") "," OBJECT("ns", "b", "ub", "6") "," OBJECT(
                          "ns", "d", "ud", "7") "," OBJECT("ns", "e", "ue", "8") "," OBJECT("ns", "f", "uf", "9")));
    start();
    WAIT_FOR(watching);
    fake_stream_send(watching,
                     EVENT("DELETED", OBJECT("ns", "d", "ud", "29")) EVENT("MODIFIED", OBJECT("ns", "a", "ua", "30")));
    WAIT_FOR(strstr(changes.p, "a@5>30"));
    assert_int_equal(json_parse(STR(OBJECT("ns", "b", "ub", "32")), &b, NULL), 0);
    assert_non_null(kube_informer_learn(informer, yyjson_doc_get_root(b)));
    kube_informer_forget(informer, STR("ns/e"), STR("ue"));
    buf_reset(&changes);
    buf_addz(&changes, "");
}

/* The newest list shows an earlier version than was seen: all that it shows counts, also what has the same version as before. */
static void restored(void **state)
{
    (void)state;
    start_before_restore();
    script(200, LIST("31", OBJECT("ns", "a", "ua", "25") "," OBJECT("ns", "b", "ub", "20") "," OBJECT(
                               "ns", "d", "ud", "7") "," OBJECT("ns", "e", "ue", "8") "," OBJECT_OF("ns", "f", "uf",
                                                                                                    "9", "2")));
    fake_stream_send(TAKE_PTR(watching), EXPIRED);
    WAIT_FOR(watching);
    expect_changes("+ns/d@7 ns/a@30>25 ns/b@32>20 +ns/e@8 ns/f@9>9 ");
    assert_int_equal(next_list, 3);
    _cleanup_free_ char *watch = last_request();
    assert_true(str_has_suffix(str_of(watch), STR("&resourceVersion=31")));
    /* From here on it is as ever: what is older is ignored, and the next list is one. */
    fake_stream_send(watching,
                     EVENT("MODIFIED", OBJECT("ns", "a", "ua", "24")) EVENT("MODIFIED", OBJECT("ns", "b", "ub", "33")));
    WAIT_FOR(changes.n);
    expect_changes("ns/b@20>33 ");
    fake_stream_send(TAKE_PTR(watching), BOOKMARK("34") EXPIRED);
    script(200, LIST("35", OBJECT("ns", "a", "ua", "25") "," OBJECT("ns", "b", "ub", "33")));
    WAIT_FOR(watching);
    assert_true(strstr(changes.p, "-ns/d@7 ") && strstr(changes.p, "-ns/e@8 ") && strstr(changes.p, "-ns/f@9 "));
    assert_null(strstr(changes.p, "ns/a"));
    assert_int_equal(next_list, 4);
}

/* etcd's `--bump-revision` lets the version of the storage go on, but not those of the objects. */
static void restored_and_bumped(void **state)
{
    (void)state;
    start_before_restore();
    script(200, LIST("1000", OBJECT("ns", "a", "ua", "25") "," OBJECT("ns", "b", "ub", "32")));
    fake_stream_send(TAKE_PTR(watching), EXPIRED);
    WAIT_FOR(watching);
    assert_non_null(strstr(changes.p, "ns/a@30>25 "));
    assert_null(strstr(changes.p, "ns/b@"));
    assert_int_equal(next_list, 3);
}

static void note_others(void *arg, struct kube_object *old, struct kube_object *now)
{
    (void)arg;
    buf_printf(&changes, "%s ", old && now ? "other" : now ? "+other" : "-other");
}

/* What is read from the same storage went back with it, though its watch shows nothing; whoever is told by another does not tell. */
static void restored_with_others(void **state)
{
    struct kube_informer_config config = { .path = OTHERS, .on_change = note_others };

    (void)state;
    start_before_restore();
    others = LIST("33", OBJECT("ns", "x", "ux", "33"));
    config.client = client;
    struct kube_informer *other = kube_informer_start(&config);
    WAIT_FOR(n_watches_of_others == 1);
    expect_changes("+other ");
    others = LIST("31", OBJECT("ns", "x", "ux", "4"));
    script(200, LIST("31",
                     OBJECT("ns", "a", "ua", "30") "," OBJECT("ns", "b", "ub", "32") "," OBJECT("ns", "f", "uf", "9")));
    fake_stream_send(TAKE_PTR(watching), EXPIRED);
    WAIT_FOR(watching && n_watches_of_others == 2);
    expect_changes("other ");
    assert_int_equal(next_list, 3);
    assert_int_equal(n_lists_of_others, 3);
    assert_int_equal(kube_informer_state(other), KUBE_INFORMER_SYNCED);
    /* There are versions that mean nothing: the others are not read anew each time. */
    script(200, LIST("21", OBJECT("ns", "a", "ua", "20")));
    fake_stream_send(TAKE_PTR(watching), EXPIRED);
    WAIT_FOR(watching);
    run_for(50);
    assert_int_equal(next_list, 5);
    assert_int_equal(n_lists_of_others, 3);
    kube_informer_stop(other);
}

/* What a write brings while a list is under way is newer than what the list shows, and no restore. */
static void written_during_a_list(void **state)
{
    (void)state;
    _cleanup_json_ yyjson_doc *a = NULL;

    start_synced();
    script(0, NULL);
    kube_informer_renew(informer);
    WAIT_FOR(next_list == 2);
    assert_int_equal(json_parse(STR(OBJECT("ns", "a", "ua", "22")), &a, NULL), 0);
    assert_non_null(kube_informer_learn(informer, yyjson_doc_get_root(a)));
    fake_reply(listing, 200, NULL, LIST("20", OBJECT("ns", "a", "ua", "5") "," OBJECT("ns", "b", "ub", "6")));
    watching = NULL;
    WAIT_FOR(watching);
    expect_changes("");
    assert_int_equal(next_list, 2);
    assert_true(str_eqc(kube_object_rv(kube_informer_get(informer, STR("ns/a"))), "22"));
}

/* The list that tells of it may be the last that works for a while. */
static void restored_in_the_end(void **state)
{
    (void)state;
    start_before_restore();
    script(200, LIST("31", OBJECT("ns", "a", "ua", "25")));
    script(500, "InternalError");
    script(200, LIST("32", OBJECT("ns", "a", "ua", "25")));
    fake_stream_send(TAKE_PTR(watching), EXPIRED);
    hurry(4);
    WAIT_FOR(watching);
    assert_non_null(strstr(changes.p, "ns/a@30>25 "));
    assert_non_null(strstr(changes.p, "-ns/b@32 "));
    assert_int_equal(next_list, 4);
}

/* A list from the cache of a server that is behind others is no restore: objects do not go back in time. */
static void behind(void **state)
{
    (void)state;
    script(200, "{\"metadata\":{\"resourceVersion\":\"40\"},\"items\":[" OBJECT("ns", "a", "ua", "39") ",?");
    script(200, LIST("35", OBJECT("ns", "a", "ua", "34")));
    start();
    WAIT_FOR(kube_informer_state(informer) == KUBE_INFORMER_FAILING);
    hurry(2);
    WAIT_FOR(watching);
    expect_changes("+ns/a@39 ");
    assert_int_equal(next_list, 2);
    assert_null(strstr(api.log.p, "?limit=500;")); /* from storage */
}

/* A server that cannot answer from its storage is asked until it can, and never for what it has cached. */
static void renewal_that_fails(void **state)
{
    (void)state;
    start_synced();
    script(500, "InternalError");
    script(200, LIST("20", OBJECT("ns", "b", "ub", "6")));
    kube_informer_renew(informer);
    WAIT_FOR(kube_informer_state(informer) == KUBE_INFORMER_FAILING);
    assert_null(strstr(changes.p, "-"));
    kube_informer_kick(informer);
    WAIT_FOR(kube_informer_state(informer) == KUBE_INFORMER_SYNCED);
    expect_changes("-ns/a@5 ");
    const char *first = strstr(api.log.p, "resourceVersion=0");
    assert_null(strstr(first + 1, "resourceVersion=0"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(pages),
        T(default_page),
        T(odd_items),
        T(missing_resource),
        T(failing_list),
        T(expired_page),
        T(events),
        T(last_states),
        T(stopped_by_deletion),
        T(recreated),
        T(resumed),
        T(relisted_after_error_event),
        T(relisted_after_410),
        T(relisted_after_many_failures),
        T(no_hot_loop),
        T(malformed_event),
        T(learned),
        T(learned_from_others),
        T(learned_new),
        T(forgotten),
        T(projection),
        T(hashes),
        T(stopped_by_change),
        T(stopped_by_event),
        T(stopped_by_vanishing),
        T(stopped_by_state),
        T(stopped_early),
        T(vanished_by_404),
        T(vanished_by_403),
        T(vanished_by_401),
        T(refusals_in_a_row),
        T(refusals_after_success),
        T(refused_otherwise),
        T(may_not_vanish),
        T(fails_otherwise),
        T(may_only_list),
        T(renewed),
        T(renewal_that_fails),
        T(restored),
        T(restored_and_bumped),
        T(written_during_a_list),
        T(restored_in_the_end),
        T(restored_with_others),
        T(behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
