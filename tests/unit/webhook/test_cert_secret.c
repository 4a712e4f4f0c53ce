/*
 * The certificates that the webhook keeps in a Secret and announces, against an API server that holds that Secret and two webhook
 * configurations, refuses what a test wants refused, and applies patches as a real one does. Whatever happens, no key is logged.
 */
#include "../kube/kube_test.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/log.h"
#include "json/patch.h"
#include "net/tls_pem.h"
#include "webhook/cert_secret.h"
#include "webhook/cert_set.h"

#define SECRETS "/api/v1/namespaces/ns/secrets"
#define SECRET SECRETS "/certs"
#define REGISTRATION "/apis/admissionregistration.k8s.io/v1/"
#define VALIDATING REGISTRATION "validatingwebhookconfigurations/validations"
#define MUTATING REGISTRATION "mutatingwebhookconfigurations/mutation"
#define WEBHOOK                                                                                                        \
    "{\"metadata\":{\"resourceVersion\":\"1\"},\"webhooks\":[{\"name\":\"w\",\"clientConfig\":{\"service\":{\"namespace\":\"ns\",\"name\":\"hook\"}}}]}"

static const char *const dns_names[] = { "hook.ns.svc", "hook.ns", "hook" };

static char *secret, *configurations[2]; /* JSON, NULL: none */
static unsigned version, secret_version, secret_writes, patches;
static const char *refused; /* "METHOD path" that gets refused_with */
static int refused_with;
static void (*before_write)(void);          /* what happens between a read and a write of the Secret */
static void (*before_patch)(char **object); /* and of a configuration */
static void (*at_serving)(void);            /* what is to be so when a certificate is served */

static struct kube_client *client;
static struct cert_secret *it;
static unsigned served;
static uint64_t round_ms, retry_ms;
static int64_t served_until;
static int log_fd;

/* Certificates last for a year: the wall clock of this program can be set. */
static int64_t clock_ahead_s;

int clock_gettime(clockid_t id, struct timespec *ts)
{
    int r = (int)syscall(SYS_clock_gettime, id, ts);

    if (r == 0 && id == CLOCK_REALTIME)
        ts->tv_sec += clock_ahead_s;
    return r;
}

/* --- the API server --- */

static char *write_out(yyjson_mut_doc *m)
{
    struct buf b = BUF_INIT((size_t)1 << 20);

    json_mut_write(&b, yyjson_mut_doc_get_root(m));
    return buf_take(&b, NULL);
}

static void touch(yyjson_mut_doc *m)
{
    _cleanup_free_ char *rv = mem_printf("%u", ++version);

    json_mut_set_str(m, json_mut_ensure_obj(m, yyjson_mut_doc_get_root(m), "metadata"), "resourceVersion", str_of(rv));
}

static void patch_configuration(const struct fake_request *req, char **object)
{
    if (before_patch) {
        void (*f)(char **) = before_patch;
        before_patch = NULL;
        f(object);
    }

    _cleanup_json_ yyjson_doc *doc = NULL, *ops = NULL;
    yyjson_val *op;
    size_t i, n;
    char *type = fake_header(req, "content-type");

    assert_string_equal(type, "application/json-patch+json");
    free(type);
    assert_int_equal(json_parse(str_of(*object), &doc, NULL) | json_parse(str_of(req->body), &ops, NULL), 0);
    _cleanup_json_mut_ yyjson_mut_doc *m = json_mut_doc_of(yyjson_doc_get_root(doc));
    yyjson_arr_foreach(yyjson_doc_get_root(ops), i, n, op)
    {
        struct json_patch_op o = { json_path_str(op, "op"), json_path_str(op, "path"), json_get(op, "value"), true };
        if (json_patch_apply(m, &o, NULL) < 0) {
            fake_refuse(req->conn, 422, "Invalid", "the server rejected our request due to an error in our request");
            return;
        }
    }
    touch(m);
    free(*object);
    *object = write_out(m);
    patches++;
    fake_reply(req->conn, 200, NULL, *object);
}

/* With this version, as a PATCH or POST leaves it. */
static void set_secret(const char *patch)
{
    _cleanup_json_ yyjson_doc *old = NULL, *doc = NULL;

    assert_int_equal(json_parse(str_of(patch), &doc, NULL), 0);
    assert_int_equal(json_parse(str_of(secret ? secret : "{}"), &old, NULL), 0);
    _cleanup_json_mut_ yyjson_mut_doc *m = json_mut_doc_of(yyjson_doc_get_root(old));
    json_merge_apply(m, yyjson_mut_doc_get_root(m), yyjson_doc_get_root(doc));
    touch(m);
    secret_version = version;
    free(secret);
    secret = write_out(m);
}

static bool version_matches(const struct fake_request *req)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_free_ char *rv = mem_printf("%u", secret_version);

    assert_int_equal(json_parse(str_of(req->body), &doc, NULL), 0);
    return str_eqc(json_path_str(yyjson_doc_get_root(doc), "metadata.resourceVersion"), rv);
}

static void write_secret(const struct fake_request *req, bool post)
{
    if (before_write) {
        void (*f)(void) = before_write;
        before_write = NULL;
        f();
    }
    if (post ? secret != NULL : !secret || !version_matches(req)) {
        fake_refuse(req->conn, 409, post ? "AlreadyExists" : "Conflict", "somebody was faster");
        return;
    }
    set_secret(req->body);
    secret_writes++;
    fake_reply(req->conn, post ? 201 : 200, NULL, secret);
}

static void get_object(const struct fake_request *req, const char *object)
{
    if (object)
        fake_reply(req->conn, 200, NULL, object);
    else
        fake_refuse(req->conn, 404, "NotFound", "there is none");
}

static void handle(struct fake_api *fake, const struct fake_request *req)
{
    _cleanup_free_ char *what = mem_printf("%s %s", req->method, req->path);
    bool get_it = strcmp(req->method, "GET") == 0;
    char **configuration = strcmp(req->path, VALIDATING) == 0 ? &configurations[0]
                           : strcmp(req->path, MUTATING) == 0 ? &configurations[1]
                                                              : NULL;
    (void)fake;
    if (refused && strcmp(what, refused) == 0)
        fake_refuse(req->conn, refused_with,
                    refused_with == 403   ? "Forbidden"
                    : refused_with == 409 ? "Conflict"
                    : refused_with == 422 ? "Invalid"
                                          : "InternalError",
                    "because");
    else if (configuration && get_it)
        get_object(req, *configuration);
    else if (configuration)
        patch_configuration(req, configuration);
    else if (get_it)
        get_object(req, secret);
    else
        write_secret(req, strcmp(req->method, "POST") == 0);
}

/* --- the test --- */

static int set_up(void **state)
{
    char path[] = "/tmp/test-cert-secret-XXXXXX";
    (void)state;
    if (loop_new(&loop, NULL) < 0)
        return -1;
    log_fd = mkstemp(path);
    unlink(path);
    log_set_file(log_fd);
    log_init(10);
    fake_api_start(&api, loop, handle);
    client = new_client(NULL);
    it = NULL;
    version = 7;
    secret = NULL;
    set_secret("{\"kind\":\"Secret\",\"metadata\":{\"name\":\"certs\",\"labels\":{\"a\":\"b\"}}}");
    configurations[0] = mem_strdup(WEBHOOK);
    configurations[1] = mem_strdup(WEBHOOK);
    secret_writes = patches = served = 0;
    refused = NULL;
    refused_with = 403;
    before_write = NULL;
    before_patch = NULL;
    at_serving = NULL;
    clock_ahead_s = 0;
    round_ms = retry_ms = 5;
    return 0;
}

static char *log_text(void)
{
    struct buf b = BUF_INIT((size_t)16 << 20);
    char piece[4096];
    ssize_t n;
    off_t at = 0;

    while ((n = pread(log_fd, piece, sizeof(piece), at)) > 0) {
        buf_add(&b, piece, (size_t)n);
        at += n;
    }
    return buf_take(&b, NULL);
}

static size_t logged(const char *text)
{
    _cleanup_free_ char *all = log_text();
    size_t n = 0;

    for (const char *p = all; (p = strstr(p, text)); p++)
        n++;
    return n;
}

static struct cert_set stored(void)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    struct cert_set s = { 0 };
    struct error *err = NULL;

    assert_int_equal(json_parse(str_of(secret), &doc, NULL), 0);
    assert_ok(cert_set_decode(yyjson_doc_get_root(doc), &s, &err), err);
    return s;
}

/* Lines of the keys that exist at the end, plain or as the Secret holds them. */
static void no_secret_in(const char *log, const char *pem)
{
    _cleanup_buf_ struct buf b64 = BUF_INIT((size_t)1 << 16);
    const char *middle = strchr(pem, '\n') + 1;
    char part[33];

    snprintf(part, sizeof(part), "%.32s", middle);
    assert_null(strstr(log, part));
    base64_encode(&b64, str_of(pem));
    snprintf(part, sizeof(part), "%.32s", b64.p + 60);
    assert_null(strstr(log, part));
}

static int tear_down(void **state)
{
    (void)state;
    cert_secret_free(it);
    kube_client_free(client);
    fake_api_stop(&api);
    loop_free(loop);
    _cleanup_free_ char *log = log_text();
    log_set_file(STDERR_FILENO);
    log_init(0);
    close(log_fd);
    assert_null(strstr(log, "PRIVATE KEY"));
    assert_null(strstr(log, "UFJJVkFURSBLRVk")); /* the same in base64 */
    if (secret && strstr(secret, "tls.key") && !strstr(secret, "broken")) {
        _cleanup_cert_set_ struct cert_set s = stored();
        no_secret_in(log, s.ca_key);
        no_secret_in(log, s.tls_key);
    }
    free(secret);
    free(configurations[0]);
    free(configurations[1]);
    return 0;
}

static void on_certificate(void *arg, struct tls_server *tls, int64_t valid_until)
{
    assert_ptr_equal(arg, &served);
    assert_non_null(tls);
    served++;
    served_until = valid_until;
    if (at_serving)
        at_serving();
}

static struct cert_secret *start(void)
{
    return cert_secret_start(&(struct cert_secret_config){ .client = client,
                                                           .ns = "ns",
                                                           .secret = "certs",
                                                           .service = "hook",
                                                           .validating = "validations",
                                                           .mutating = "mutation",
                                                           .fn = on_certificate,
                                                           .arg = &served,
                                                           .round_ms = round_ms,
                                                           .retry_ms = retry_ms });
}

/* A whole round, and what follows from it, is over. */
static void rounds(unsigned n)
{
    unsigned until = api.n_requests + 3 * n;

    WAIT_FOR(api.n_requests >= until);
}

/* What a configuration trusts, in PEM. Owned. */
static char *trusted_by(const char *configuration)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    struct buf b = BUF_INIT((size_t)1 << 20);

    assert_int_equal(json_parse(str_of(configuration), &doc, NULL), 0);
    yyjson_val *first = yyjson_arr_get_first(json_get(yyjson_doc_get_root(doc), "webhooks"));
    assert_int_equal(base64_decode(&b, json_path_str(first, "clientConfig.caBundle"), NULL), 0);
    return buf_take(&b, NULL);
}

static bool trusts(const char *ca_pem)
{
    _cleanup_free_ char *a = trusted_by(configurations[0]), *b = trusted_by(configurations[1]);

    return strstr(a, ca_pem) && strstr(b, ca_pem);
}

static bool trusted_somewhere(const char *ca_pem)
{
    _cleanup_free_ char *a = trusted_by(configurations[0]), *b = trusted_by(configurations[1]);

    return strstr(a, ca_pem) || strstr(b, ca_pem);
}

static void assert_trusted(size_t i, const struct cert_set *s)
{
    _cleanup_free_ char *pem = trusted_by(configurations[i]);

    if (!strstr(pem, s->ca_crt))
        fail_msg("configuration %zu does not trust it", i);
}

/* Somebody else writes both bundles. */
static void trust(const char *ca_pem)
{
    _cleanup_buf_ struct buf b = BUF_INIT((size_t)1 << 20);

    base64_encode(&b, str_of(ca_pem));
    for (size_t i = 0; i < ARRAY_SIZE(configurations); i++) {
        free(configurations[i]);
        configurations[i] = mem_printf(
            "{\"metadata\":{\"resourceVersion\":\"%u\"},\"webhooks\":[{\"name\":\"w\",\"clientConfig\":{\"caBundle\":"
            "\"%s\",\"service\":{\"namespace\":\"ns\",\"name\":\"hook\"}}}]}",
            ++version, b.p);
    }
}

static void assert_all_good(void)
{
    _cleanup_cert_set_ struct cert_set s = stored();

    for (size_t i = 0; i < ARRAY_SIZE(dns_names); i++)
        assert_int_equal(tls_pem_verify(str_of(s.tls_crt), str_of(s.ca_crt), dns_names[i], time_wall_s(), NULL), 0);
    assert_trusted(0, &s);
    assert_trusted(1, &s);
    assert_int_equal(served_until, s.serving_until);
}

/* Puts this into the Secret, as somebody else would. */
static void store_set(const struct cert_set *s)
{
    _cleanup_buf_ struct buf b = BUF_INIT((size_t)1 << 20);

    buf_addz(&b, "{\"data\":");
    cert_set_encode(&b, s);
    buf_addz(&b, "}");
    set_secret(b.p);
}

static struct cert_set new_set(int64_t at)
{
    struct cert_set s = { 0 };

    assert_int_equal(cert_set_renew(NULL, dns_names, ARRAY_SIZE(dns_names), at, &s, NULL), 1);
    return s;
}

static void first_start(void **state)
{
    (void)state;
    it = start();
    assert_false(cert_secret_ready(it));
    WAIT_FOR(cert_secret_ready(it));
    assert_true(
        str_has_prefix(buf_str(&api.log),
                       STR("GET " SECRET ";PATCH " SECRET "?fieldManager=kubefed;GET " VALIDATING ";PATCH " VALIDATING
                           "?fieldManager=kubefed;GET " MUTATING ";PATCH " MUTATING "?fieldManager=kubefed;")));
    assert_all_good();
    assert_int_equal(served, 1);
    assert_non_null(strstr(secret, "\"labels\":{\"a\":\"b\"}")); /* nothing else of it is touched */
    rounds(5);
    assert_int_equal(served, 1);
    assert_int_equal(secret_writes, 1);
    assert_int_equal(patches, 2);
    assert_true(cert_secret_ready(it));
    assert_int_equal(logged("; trying again"), 0);
}

static void no_secret(void **state)
{
    (void)state;
    free(secret);
    secret = NULL;
    it = start();
    WAIT_FOR(cert_secret_ready(it));
    assert_non_null(strstr(api.log.p, "POST " SECRETS "?fieldManager=kubefed;"));
    assert_non_null(strstr(secret, "\"name\":\"certs\""));
    assert_non_null(strstr(secret, "\"kind\":\"Secret\""));
    assert_all_good();
}

static struct cert_set winner;

static void another_is_faster(void)
{
    store_set(&winner);
}

/* Two replicas at the same time: one writes, and the other takes what it wrote. */
static void races(void **state)
{
    (void)state;
    for (int post = 0; post < 2; post++) {
        if (post) {
            cert_secret_free(it);
            free(secret);
            secret = NULL;
            served = 0;
        }
        winner = new_set(time_wall_s());
        before_write = another_is_faster;
        it = start();
        WAIT_FOR(cert_secret_ready(it));
        assert_int_equal(secret_writes, 0);
        assert_all_good();
        _cleanup_cert_set_ struct cert_set s = stored();
        assert_string_equal(s.tls_crt, winner.tls_crt);
        assert_int_equal(served, 1);
        cert_set_done(&winner);
    }
    assert_int_equal(logged("; trying again"), 0); /* that is no failure */
}

/* Two of ours, each with all its rounds. */
static void two_replicas(void **state)
{
    (void)state;
    struct cert_secret *other = start();
    it = start();
    WAIT_FOR(cert_secret_ready(it) && cert_secret_ready(other));
    assert_int_equal(secret_writes, 1);
    assert_int_equal(served, 2);
    assert_all_good();
    cert_secret_free(other);
}

static void restart(void **state)
{
    _cleanup_cert_set_ struct cert_set s = new_set(time_wall_s());
    (void)state;
    store_set(&s);
    it = start();
    WAIT_FOR(cert_secret_ready(it));
    assert_int_equal(secret_writes, 0);
    assert_int_equal(served, 1);
    assert_all_good();
}

/* Somebody takes the bundle away: it comes back. */
static void bundle_lost(void **state)
{
    (void)state;
    it = start();
    WAIT_FOR(cert_secret_ready(it));
    free(configurations[1]);
    configurations[1] = mem_strdup(WEBHOOK);
    WAIT_FOR(patches == 3);
    assert_all_good();
    assert_int_equal(served, 1);
}

static void renewal(void **state)
{
    _cleanup_cert_set_ struct cert_set old = new_set(time_wall_s() - CERT_SERVING_LIFE_S * 3 / 4);
    (void)state;
    store_set(&old);
    it = start();
    WAIT_FOR(cert_secret_ready(it));
    assert_int_equal(secret_writes, 1);
    _cleanup_cert_set_ struct cert_set s = stored();
    assert_string_equal(s.ca_crt, old.ca_crt);
    assert_string_not_equal(s.tls_crt, old.tls_crt);
    assert_all_good();
}

static void broken_secret(void **state)
{
    (void)state;
    set_secret("{\"data\":{\"ca.crt\":\"eA==\",\"ca.key\":\"eA==\",\"tls.crt\":\"eA==\",\"tls.key\":\"eA==\"}}");
    it = start();
    WAIT_FOR(cert_secret_ready(it));
    assert_int_equal(secret_writes, 1);
    assert_int_equal(logged("is written anew"), 1);
    assert_all_good();
}

/* The same certificate under a name that OpenSSL takes and nobody else does. Owned. */
static char *other_label(const char *pem)
{
    struct buf b = BUF_INIT((size_t)1 << 16);

    for (const char *p = pem; *p; p++)
        if (str_has_prefix(str_of(p), STR("CERTIFICATE-----"))) {
            buf_addz(&b, "X509 CERTIFICATE-----");
            p += strlen("CERTIFICATE-----") - 1;
        } else {
            buf_addc(&b, *p);
        }
    return buf_take(&b, NULL);
}

/* Behind more others than are announced. Owned. */
static char *behind_others(const char *pem)
{
    struct buf b = BUF_INIT((size_t)1 << 16);

    for (size_t i = 0; i < 7; i++) {
        _cleanup_cert_set_ struct cert_set other = new_set(time_wall_s());
        buf_addz(&b, other.ca_crt);
    }
    buf_addz(&b, pem);
    return buf_take(&b, NULL);
}

/* A Secret that is good in itself, and cannot be announced, heals; also when its renewal is due. */
static void cannot_be_announced(void **state)
{
    static char *(*const spoil[])(const char *) = { other_label, behind_others };
    _cleanup_cert_set_ struct cert_set bystander = new_set(time_wall_s());
    (void)state;
    for (size_t i = 0; i < 2 * ARRAY_SIZE(spoil); i++) {
        _cleanup_cert_set_ struct cert_set s = new_set(time_wall_s() - (i % 2 ? CERT_SERVING_LIFE_S * 3 / 4 : 0));
        char *spoilt = spoil[i / 2](s.ca_crt);

        free(s.ca_crt);
        s.ca_crt = spoilt;
        store_set(&s);
        trust(bystander.ca_crt);
        secret_writes = 0;
        it = start();
        WAIT_FOR(cert_secret_ready(it));
        rounds(2);
        assert_int_equal(secret_writes, 1);
        assert_all_good();
        cert_secret_free(TAKE_PTR(it));
    }
    assert_int_equal(logged("is written anew"),
                     3); /* where the first authority is not that of ca.key, a renewal makes a new one */
}

/* --- what is forbidden, or fails --- */

/* Without the right to announce it, it serves all the same: somebody else may have put the bundle there. It is not ready. */
static void configurations_forbidden(void **state)
{
    static const char *const rows[] = { "GET " VALIDATING, "PATCH " VALIDATING, "GET " MUTATING, "PATCH " MUTATING };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        refused = rows[i];
        served = 0;
        it = start();
        WAIT_FOR(served == 1);
        rounds(4);
        assert_int_equal(served, 1);
        assert_false(cert_secret_ready(it));
        refused = NULL;
        WAIT_FOR(cert_secret_ready(it));
        assert_all_good();
        cert_secret_free(TAKE_PTR(it));
        free(configurations[0]);
        free(configurations[1]);
        configurations[0] = mem_strdup(WEBHOOK);
        configurations[1] = mem_strdup(WEBHOOK);
    }
    assert_int_equal(logged("does not trust our certificate yet"), ARRAY_SIZE(rows)); /* each told once */
    assert_int_equal(
        logged("because; give its service account the verb get on ValidatingWebhookConfiguration validations (in the "
               "chart: ClusterRole kubefed-admission-webhook:configurations); trying again"),
        1);
    assert_int_equal(logged("; give its service account the verb patch on ValidatingWebhookConfiguration validations "),
                     1);
    assert_int_equal(logged("; give its service account the verb get on MutatingWebhookConfiguration mutation "), 1);
    assert_int_equal(logged("; give its service account the verb patch on MutatingWebhookConfiguration mutation "), 1);
}

/* Both fail: each is told once, not in turn for ever. */
static void both_missing(void **state)
{
    (void)state;
    free(configurations[0]);
    free(configurations[1]);
    configurations[0] = configurations[1] = NULL;
    it = start();
    WAIT_FOR(served == 1);
    rounds(6);
    assert_int_equal(logged("does not trust our certificate yet"), 2);
    assert_false(cert_secret_ready(it));
}

/* What is not there need not trust us. */
static void one_missing(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(configurations); i++) {
        char *kept = TAKE_PTR(configurations[i]);
        it = start();
        WAIT_FOR(cert_secret_ready(it));
        assert_int_equal(logged("does not trust our certificate yet"), i + 1);
        cert_secret_free(TAKE_PTR(it));
        configurations[i] = kept;
    }
}

static void secret_forbidden(void **state)
{
    static const char *const rows[] = { "GET " SECRET, "PATCH " SECRET, ("POST " SECRETS) };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        unsigned before = api.n_requests;
        refused = rows[i];
        served = 0;
        it = start();
        WAIT_FOR(api.n_requests >= before + 5);
        assert_int_equal(served, 0); /* what nobody stored, no other replica could serve */
        assert_false(cert_secret_ready(it));
        assert_int_equal(logged("; trying again"), i + 1);
        refused = NULL;
        WAIT_FOR(cert_secret_ready(it));
        cert_secret_free(TAKE_PTR(it));
        set_secret("{\"data\":null}");
        if (i == 1)
            free(TAKE_PTR(secret));
    }
    assert_int_equal(
        logged("because; give its service account the verb get on Secret certs of namespace ns (in the chart: Role "
               "kubefed-admission-webhook-role); trying again"),
        1);
    assert_int_equal(logged("; give its service account the verb patch on Secret certs "), 1);
    assert_int_equal(logged("; give its service account the verb create on Secret certs "), 1);
}

/* What is of no use and cannot be replaced is told once, whatever comes between. */
static void broken_secret_forbidden(void **state)
{
    (void)state;
    set_secret("{\"data\":{\"ca.crt\":\"eA==\",\"ca.key\":\"eA==\",\"tls.crt\":\"eA==\",\"tls.key\":\"broken\"}}");
    refused = "PATCH " SECRET;
    it = start();
    WAIT_FOR(api.n_requests >= 8);
    assert_int_equal(logged("is written anew"), 1);
    assert_int_equal(logged("; trying again"), 1);
    refused = NULL;
    WAIT_FOR(cert_secret_ready(it));
    set_secret("{\"data\":{\"tls.key\":\"broken\"}}"); /* that is another time */
    WAIT_FOR(logged("is written anew") == 2);
    WAIT_FOR(cert_secret_ready(it));
}

/* One conflict is a race; when there is another at once, somebody has to know, and nobody is asked every second. */
static void conflict_for_ever(void **state)
{
    (void)state;
    refused = "PATCH " SECRET;
    refused_with = 409;
    it = start();
    WAIT_FOR(api.n_requests >= 4);
    WAIT_FOR(logged("The Secret ns/certs does not take the new certificate: ") == 1);
    WAIT_FOR(api.n_requests >= 10);
    assert_int_equal(logged("; trying again"), 1);
    refused = NULL;
    WAIT_FOR(cert_secret_ready(it));
}

/* A new authority that cannot be announced is not served while the old certificate is valid: nobody would take it. */
static void new_authority_untold(void **state)
{
    (void)state;
    it = start();
    WAIT_FOR(cert_secret_ready(it));
    _cleanup_cert_set_ struct cert_set old = stored();
    _cleanup_cert_set_ struct cert_set next = new_set(time_wall_s() - 86400);
    refused = "PATCH " MUTATING;
    store_set(&next);
    rounds(4);
    assert_int_equal(served, 1);
    assert_true(cert_secret_ready(it)); /* what it serves is trusted */
    trust(next.ca_crt);                 /* by another replica, which serves the new one alone */
    for (bool back = false; !back;) {
        rounds(1);
        _cleanup_free_ char *pem = trusted_by(configurations[0]);
        back = strstr(pem, old.ca_crt) != NULL;
    }
    assert_int_equal(served, 1); /* with that */
    refused = NULL;
    WAIT_FOR(served == 2);
    WAIT_FOR(cert_secret_ready(it));
    assert_all_good();
}

/* --- an authority that changes --- */

static struct cert_set former; /* what was served */

static const char *last(const char *what)
{
    const char *found = NULL;

    for (const char *p = api.log.p; (p = strstr(p, what)); p++)
        found = p;
    return found;
}

/* Both authorities are known, since a round that is over. */
static void both_trusted_for_a_round(void)
{
    _cleanup_cert_set_ struct cert_set s = stored();

    assert_string_not_equal(s.ca_crt, former.ca_crt);
    assert_trusted(0, &s);
    assert_trusted(1, &s);
    assert_true(trusts(former.ca_crt));
    assert_non_null(strstr(last("PATCH " VALIDATING), "GET " SECRET));
    assert_non_null(strstr(last("PATCH " MUTATING), "GET " SECRET));
}

/* After that, the authority of before goes, in its own time. */
static void changes_over(void)
{
    at_serving = both_trusted_for_a_round;
    WAIT_FOR(served == 2);
    assert_true(cert_secret_ready(it));
    WAIT_FOR(!trusted_somewhere(former.ca_crt));
    assert_all_good();
    assert_true(cert_secret_ready(it));
    assert_int_equal(served, 2);
    assert_int_equal(logged("; trying again"), 0);
    cert_set_done(&former);
}

static void start_and_remember(void)
{
    it = start();
    WAIT_FOR(cert_secret_ready(it));
    former = stored();
}

static void secret_emptied(void **state)
{
    (void)state;
    start_and_remember();
    set_secret("{\"data\":null}");
    changes_over();
    assert_int_equal(secret_writes, 2);
    _cleanup_cert_set_ struct cert_set s = stored();
    int64_t until;
    size_t n;
    assert_int_equal(tls_pem_first_end(str_of(s.ca_crt), &until, &n, NULL), 0);
    assert_int_equal(n, 1); /* there, the old one would be trusted for years */
}

static void secret_deleted(void **state)
{
    (void)state;
    start_and_remember();
    free(secret);
    secret = NULL;
    changes_over();
}

static void secret_destroyed(void **state)
{
    (void)state;
    start_and_remember();
    set_secret("{\"data\":{\"ca.crt\":\"eA==\",\"ca.key\":\"eA==\",\"tls.crt\":\"eA==\",\"tls.key\":\"eA==\"}}");
    changes_over();
}

/* By somebody, or from a backup. */
static void secret_replaced(void **state)
{
    _cleanup_cert_set_ struct cert_set other = new_set(time_wall_s() - 86400);
    (void)state;
    start_and_remember();
    store_set(&other);
    changes_over();
    assert_int_equal(secret_writes, 1);
}

/* An authority that was renewed in time is in the Secret beside the new one, and stays trusted while it is valid. */
static void authority_renewed(void **state)
{
    _cleanup_cert_set_ struct cert_set old = new_set(time_wall_s() - CERT_AUTHORITY_LIFE_S * 3 / 4);
    (void)state;
    store_set(&old);
    it = start();
    WAIT_FOR(cert_secret_ready(it));
    _cleanup_cert_set_ struct cert_set s = stored();
    assert_non_null(strstr(s.ca_crt, old.ca_crt));
    rounds(3 * CERT_SECRET_KEEP_ROUNDS);
    assert_true(trusts(old.ca_crt));
    assert_all_good();
}

/* Who serves with a certificate that has ended has nothing to lose. */
static void served_ends_while_untold(void **state)
{
    (void)state;
    it = start();
    WAIT_FOR(cert_secret_ready(it));
    clock_ahead_s = CERT_SERVING_LIFE_S + 1;
    assert_false(cert_secret_ready(it)); /* without having to look */
    _cleanup_cert_set_ struct cert_set next = new_set(time_wall_s());
    refused = "PATCH " MUTATING;
    store_set(&next);
    WAIT_FOR(served == 2);
    rounds(3);
    assert_false(cert_secret_ready(it));
    assert_int_equal(served_until, next.serving_until);
    refused = NULL;
    WAIT_FOR(cert_secret_ready(it));
    assert_all_good();
}

/* Its authority is announced no longer than it is of use. */
static void served_is_wanted_while_it_is_valid(void **state)
{
    (void)state;
    start_and_remember();
    refused = "GET " SECRET; /* nothing is done until then */
    rounds(1);
    _cleanup_cert_set_ struct cert_set next = new_set(time_wall_s() + CERT_SERVING_LIFE_S);
    store_set(&next);
    trust(next.ca_crt);
    clock_ahead_s = CERT_SERVING_LIFE_S + 1;
    refused = NULL;
    WAIT_FOR(cert_secret_ready(it));
    rounds(2);
    assert_false(trusted_somewhere(former.ca_crt)); /* it never came back */
    cert_set_done(&former);
}

/* What other replicas may serve with stays for some rounds, whoever wrote it, and after a start too. */
static void others_stay_for_a_while(void **state)
{
    _cleanup_cert_set_ struct cert_set other = new_set(time_wall_s()), another = new_set(time_wall_s());
    (void)state;
    trust(other.ca_crt);
    it = start();
    WAIT_FOR(cert_secret_ready(it));
    assert_true(trusts(other.ca_crt));
    assert_all_good();
    unsigned since = api.n_requests;
    WAIT_FOR(!trusted_somewhere(other.ca_crt));
    assert_true(api.n_requests - since >= 3 * (CERT_SECRET_KEEP_ROUNDS - 1));
    assert_all_good();
    /* When it changes, the rounds count from then on. */
    _cleanup_cert_set_ struct cert_set s = stored();
    _cleanup_free_ char *one = mem_printf("%s%s", s.ca_crt, other.ca_crt);
    _cleanup_free_ char *two = mem_printf("%s%s%s", s.ca_crt, other.ca_crt, another.ca_crt);
    trust(one);
    rounds(CERT_SECRET_KEEP_ROUNDS - 2);
    assert_true(trusts(other.ca_crt));
    trust(two);
    since = api.n_requests;
    WAIT_FOR(!trusted_somewhere(another.ca_crt));
    assert_true(api.n_requests - since >= 3 * (CERT_SECRET_KEEP_ROUNDS - 1));
    WAIT_FOR(logged("trusts only the authority of") == 4);
}

/* Rounds that follow a failure at once are no time for others to learn of anything. */
static void fast_rounds_do_not_count(void **state)
{
    _cleanup_cert_set_ struct cert_set other = new_set(time_wall_s());
    (void)state;
    trust(other.ca_crt);
    refused = "GET " MUTATING;
    round_ms = 1000000;
    it = start();
    rounds(2 * CERT_SECRET_KEEP_ROUNDS);
    assert_true(trusts(other.ca_crt));
}

static void other_replica_announces(char **object)
{
    _cleanup_cert_set_ struct cert_set s = stored();
    _cleanup_free_ char *both = mem_printf("%s%s", s.ca_crt, winner.ca_crt);

    (void)object;
    trust(both);
}

/* Two replicas write at once: what the other one wrote is not lost, and nobody is told of it. */
static void races_for_a_configuration(void **state)
{
    (void)state;
    winner = new_set(time_wall_s());
    before_patch = other_replica_announces;
    it = start();
    WAIT_FOR(cert_secret_ready(it));
    assert_true(trusts(winner.ca_crt));
    assert_all_good();
    assert_int_equal(logged("; trying again"), 0);
    cert_set_done(&winner);
}

static void other_replica_announces_the_same(char **object)
{
    _cleanup_cert_set_ struct cert_set s = stored();

    (void)object;
    trust(s.ca_crt);
}

/* A race is the first one when there was nothing to do in between. */
static void races_now_and_then(void **state)
{
    (void)state;
    it = start();
    WAIT_FOR(cert_secret_ready(it));
    for (size_t i = 0; i < 3; i++) {
        before_patch = other_replica_announces_the_same;
        free(configurations[0]);
        configurations[0] = mem_strdup(WEBHOOK);
        WAIT_FOR(!before_patch);
        rounds(2);
    }
    assert_int_equal(logged("; trying again"), 0);
}

/* When it is refused again, somebody has to know. */
static void configuration_is_invalid(void **state)
{
    (void)state;
    refused = "PATCH " VALIDATING;
    refused_with = 422;
    it = start();
    rounds(6);
    assert_false(cert_secret_ready(it));
    assert_int_equal(logged("validations does not trust our certificate yet"), 1);
    refused = NULL;
    WAIT_FOR(cert_secret_ready(it));
}

/* Not to be able to take something away takes nothing from us. */
static void removal_is_refused(void **state)
{
    _cleanup_cert_set_ struct cert_set other = new_set(time_wall_s());
    (void)state;
    retry_ms = 1000000; /* it is no failure */
    start_and_remember();
    _cleanup_free_ char *both = mem_printf("%s%s", former.ca_crt, other.ca_crt);
    trust(both);
    refused = "PATCH " MUTATING;
    rounds(3 * CERT_SECRET_KEEP_ROUNDS);
    assert_true(cert_secret_ready(it));
    assert_int_equal(logged("The webhook configuration mutation trusts more than our certificates"), 1);
    refused = NULL;
    WAIT_FOR(!trusted_somewhere(other.ca_crt));
    assert_all_good();
    cert_set_done(&former);
}

static void refuse_the_next(char **object)
{
    (void)object;
    refused = "GET " MUTATING;
}

/* What fails after a removal is told as what it is. */
static void failure_after_removal(void **state)
{
    _cleanup_cert_set_ struct cert_set other = new_set(time_wall_s());
    (void)state;
    start_and_remember();
    _cleanup_free_ char *both = mem_printf("%s%s", former.ca_crt, other.ca_crt);
    trust(both);
    before_patch = refuse_the_next;
    WAIT_FOR(logged("mutation does not trust our certificate yet") == 1);
    assert_int_equal(logged("trusts more than our certificates"), 0);
    cert_set_done(&former);
}

/* More of our webhooks than one patch holds. */
static void too_many_webhooks(void **state)
{
    struct buf b = BUF_INIT((size_t)8 << 20);
    (void)state;
    buf_addz(&b, "{\"metadata\":{\"resourceVersion\":\"1\"},\"webhooks\":[");
    for (size_t i = 0; i < 3000; i++)
        buf_printf(&b, "%s{\"name\":\"w\",\"clientConfig\":{\"service\":{\"namespace\":\"ns\",\"name\":\"hook\"}}}",
                   i ? "," : "");
    buf_addz(&b, "]}");
    free(configurations[0]);
    configurations[0] = buf_take(&b, NULL);
    it = start();
    rounds(4);
    assert_false(cert_secret_ready(it));
    assert_int_equal(logged("too many of its webhooks call the Service ns/hook"), 1);
    free(configurations[0]);
    configurations[0] = mem_strdup(WEBHOOK);
    WAIT_FOR(cert_secret_ready(it));
}

/* The same authority: whoever trusts the old certificate trusts the new one. It does not wait. */
static void same_authority_untold(void **state)
{
    _cleanup_cert_set_ struct cert_set old = new_set(time_wall_s() - 86400), next = { 0 };
    (void)state;
    store_set(&old);
    it = start();
    WAIT_FOR(cert_secret_ready(it));
    static const char *const more[] = { "hook.ns.svc", "hook.ns", "hook", "more" };
    assert_int_equal(cert_set_renew(&old, more, 4, time_wall_s(), &next, NULL), 1);
    assert_string_equal(next.ca_crt, old.ca_crt);
    refused = "GET " MUTATING;
    rounds(2);
    assert_true(cert_secret_ready(it)); /* not to be able to look takes nothing away */
    store_set(&next);
    WAIT_FOR(served == 2);
    assert_true(cert_secret_ready(it));
    assert_int_equal(served_until, next.serving_until);
}

/* Also when nobody was ever told of the authority: nobody is worse off. */
static void same_authority_never_told(void **state)
{
    _cleanup_cert_set_ struct cert_set old = new_set(time_wall_s() - 86400), next = { 0 };
    static const char *const more[] = { "hook.ns.svc", "hook.ns", "hook", "more" };
    (void)state;
    store_set(&old);
    refused = "GET " MUTATING;
    it = start();
    WAIT_FOR(served == 1);
    assert_int_equal(cert_set_renew(&old, more, 4, time_wall_s(), &next, NULL), 1);
    store_set(&next);
    WAIT_FOR(served == 2);
    assert_false(cert_secret_ready(it));
}

/* The API server goes: what is served stays, and so does readiness. */
static void api_fails(void **state)
{
    (void)state;
    it = start();
    WAIT_FOR(cert_secret_ready(it));
    refused = "GET " SECRET;
    refused_with = 500;
    unsigned before = api.n_requests;
    WAIT_FOR(api.n_requests >= before + 5);
    assert_true(cert_secret_ready(it));
    assert_int_equal(served, 1);
    assert_int_equal(logged("Cannot read Secret ns/certs for the serving certificate"), 1);
    assert_int_equal(logged("give its service account"), 0);
}

/* Answers that are no objects. */
static void nonsense(void **state)
{
    (void)state;
    free(secret);
    secret = mem_strdup("{\"broken\":");
    it = start();
    WAIT_FOR(api.n_requests >= 4);
    assert_int_equal(served, 0);
    free(secret);
    secret = NULL;
    free(configurations[0]);
    configurations[0] = mem_strdup("nonsense");
    WAIT_FOR(served == 1);
    rounds(3);
    assert_false(cert_secret_ready(it));
    free(configurations[0]);
    configurations[0] = mem_strdup(WEBHOOK);
    WAIT_FOR(cert_secret_ready(it));
}

/* Freed at any moment. */
static void stops(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 8; n++) {
        unsigned until = api.n_requests + n;
        it = start();
        WAIT_FOR(api.n_requests >= until);
        cert_secret_free(TAKE_PTR(it));
        turn();
    }
    cert_secret_free(NULL);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(first_start),
        T(no_secret),
        T(races),
        T(two_replicas),
        T(restart),
        T(bundle_lost),
        T(renewal),
        T(broken_secret),
        T(cannot_be_announced),
        T(configurations_forbidden),
        T(both_missing),
        T(one_missing),
        T(secret_forbidden),
        T(broken_secret_forbidden),
        T(conflict_for_ever),
        T(new_authority_untold),
        T(same_authority_untold),
        T(same_authority_never_told),
        T(api_fails),
        T(nonsense),
        T(secret_emptied),
        T(secret_deleted),
        T(secret_destroyed),
        T(secret_replaced),
        T(authority_renewed),
        T(served_ends_while_untold),
        T(served_is_wanted_while_it_is_valid),
        T(others_stay_for_a_while),
        T(fast_rounds_do_not_count),
        T(races_for_a_configuration),
        T(races_now_and_then),
        T(configuration_is_invalid),
        T(removal_is_refused),
        T(failure_after_removal),
        T(too_many_webhooks),
        T(stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
