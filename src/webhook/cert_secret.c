/* See cert_secret.h. One request at a time; each answer leads to the next step, and each end of a round to the timer. */
#include "webhook/cert_secret.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/rtime.h"
#include "net/tls_pem.h"
#include "webhook/cert_bundle.h"
#include "webhook/cert_set.h"

#define ROUND_MS 15000u
#define RETRY_INITIAL_MS 1000u
#define RETRY_MAX_MS 15000u
#define BODY_MAX ((size_t)2 << 20)
/* An API server stores objects of 3 MiB at most. */
#define ANSWER_MAX ((size_t)4 << 20)

/* Of a bundle, so that there is room for what is served. */
#define SET_MAX (CERT_BUNDLE_MAX - 2)

static const char registration_group[] = "admissionregistration.k8s.io";

/* A webhook configuration that has to know the authority. */
struct configuration {
    char *name;
    uint64_t others; /* what it was seen to trust besides, and in how many rounds on end */
    unsigned others_rounds;
    bool raced;    /* it changed while we looked at it, last time */
    uint64_t told; /* hash of the last complaint */
};

struct cert_secret {
    struct kube_client *client;
    char *ns, *secret, *service;
    struct configuration configurations[2]; /* validating, mutating */
    char *names[3];                         /* of the Service, shortest last */
    cert_fn *fn;
    void *arg;
    struct kube_call *call;
    const char *verb; /* of that call, for the right that it needs */
    struct loop_timer timer;
    struct backoff backoff;
    /* Of this round. */
    struct cert_set set;
    struct cert_bundle wanted; /* what the configurations are to trust */
    size_t next;               /* configuration that comes next */
    size_t n_found;            /* configurations that are there */
    bool untold;               /* one of the configurations does not trust the authority */
    bool regular;              /* it does not follow a failure */
    bool removing;             /* the patch under way takes away what is not wanted */
    /* Of the rounds before. */
    char *served, *served_ca; /* the certificate that is served and what clients are to trust for it; NULL: none */
    int64_t served_until;     /* 0: nothing is served */
    char *known;              /* what all configurations were seen to trust; NULL: nothing */
    bool trusted;             /* whoever knows that takes what is served */
    uint64_t told;            /* hash of the last complaint that is not about a configuration */
    uint64_t told_useless;    /* of the last one about what the Secret holds */
    bool raced;               /* the Secret changed while we looked at it, last time */
    uint64_t round_ms;
};

static void begin_round(void *arg);
static void next_configuration(struct cert_secret *s);

/* --- ends of a round --- */

static void again(struct cert_secret *s, uint64_t ms)
{
    cert_set_done(&s->set);
    cert_bundle_done(&s->wanted);
    s->regular = ms >= s->round_ms;
    loop_timer_start(kube_client_loop(s->client), &s->timer, ms, begin_round, s);
}

/* What to do when it is forbidden, as the end of a message; "" when it is not. Owned. */
static char *remedy(const struct cert_secret *s, const struct configuration *c, const struct error *err)
{
    if (error_http(err) != 403)
        return mem_strdup("");
    if (!c)
        return mem_printf("; give its service account the verb %s on Secret %s of namespace %s (in the chart: Role "
                          "kubefed-admission-webhook-role)",
                          s->verb, s->secret, s->ns);
    return mem_printf(
        "; give its service account the verb %s on %s %s (in the chart: ClusterRole "
        "kubefed-admission-webhook:configurations)",
        s->verb, c == s->configurations ? "ValidatingWebhookConfiguration" : "MutatingWebhookConfiguration", c->name);
}

/* The same complaint every few seconds helps nobody. */
static bool is_new(uint64_t *told, const char *what, const struct error *err)
{
    uint64_t before = *told;

    *told = str_hash(str_of(what)) ^ str_hash(str_of(error_msg(err)));
    return *told != before;
}

/* About a configuration, or, with NULL, about the rest. */
static void complain(struct cert_secret *s, struct configuration *c, const char *what, const struct error *err)
{
    if (!is_new(c ? &c->told : &s->told, what, err))
        return;
    _cleanup_free_ char *help = remedy(s, c, err);
    log_warning("%s: %s%s; trying again", what, error_msg(err), help);
}

static void fail(struct cert_secret *s, const char *what, const struct error *err)
{
    complain(s, NULL, what, err);
    again(s, backoff_next(&s->backoff));
}

static void serve(struct cert_secret *s)
{
    _cleanup_(tls_server_unrefp) struct tls_server *tls = NULL;
    _cleanup_error_ struct error *err = NULL;

    if (s->served && strcmp(s->served, s->set.tls_crt) == 0)
        return;
    if (tls_server_new(str_of(s->set.tls_crt), str_of(s->set.tls_key), &tls, &err) < 0) {
        complain(s, NULL, "The serving certificate cannot be used", err);
        return;
    }
    log_info("Serving with the certificate of Secret %s/%s", s->ns, s->secret);
    free(s->served);
    free(s->served_ca);
    s->served = mem_strdup(s->set.tls_crt);
    s->served_ca = mem_strdup(s->set.ca_crt);
    s->served_until = s->set.serving_until;
    s->fn(s->arg, tls, s->set.serving_until);
}

static bool accepts(const struct cert_secret *s, const char *ca_pem, const char *tls_pem)
{
    return ca_pem && tls_pem_verify(str_of(tls_pem), str_of(ca_pem), s->names[0], time_wall_s(), NULL) == 0;
}

/* Who does not know a new authority yet could not call us, and API servers need a moment to learn of one: the certificate of before
 * stays while it is valid. `known` is what they were told in rounds before this one. */
static bool may_serve(const struct cert_secret *s)
{
    return s->served_until <= time_wall_s() || accepts(s, s->known, s->set.tls_crt) ||
           accepts(s, s->served_ca, s->set.tls_crt);
}

static void end_round(struct cert_secret *s)
{
    s->untold |= s->n_found == 0; /* nobody calls us */
    if (may_serve(s))
        serve(s);
    if (!s->untold) {
        free(s->known);
        s->known = buf_take(&s->wanted.pem, NULL);
    }
    s->trusted = s->served && accepts(s, s->known, s->served);
    if (s->untold) {
        again(s, backoff_next(&s->backoff));
        return;
    }
    backoff_reset(&s->backoff);
    s->told = 0;
    again(s, s->round_ms);
}

/* --- the webhook configurations --- */

static char *configuration_path(const struct cert_secret *s)
{
    struct kube_resource r = { str_of(registration_group), STR("v1"),
                               s->next == 0 ? STR("validatingwebhookconfigurations")
                                            : STR("mutatingwebhookconfigurations"),
                               false };

    return kube_path(&r, STR_NULL, str_of(s->configurations[s->next].name), STR_NULL);
}

static void leave_configuration(struct cert_secret *s)
{
    s->next++;
    next_configuration(s);
}

static void skip_configuration(struct cert_secret *s, const struct error *err)
{
    struct configuration *c = &s->configurations[s->next];
    _cleanup_free_ char *what = mem_printf(s->removing
                                               ? "The webhook configuration %s trusts more than our certificates"
                                               : "The webhook configuration %s does not trust our certificate yet",
                                           c->name);

    complain(s, c, what, err);
    s->untold |= error_http(err) != 404 && !s->removing; /* what is not there need not learn of us */
    leave_configuration(s);
}

/* Another replica, as a rule, which has written the same: the next round will see. */
static bool lost_race(struct configuration *c, const struct error *err)
{
    bool first = !c->raced;

    c->raced = error_http(err) == 422 || error_http(err) == 409;
    return c->raced && first;
}

static void on_patched(void *arg, const struct kube_response *resp, const struct error *err)
{
    struct cert_secret *s = arg;
    struct configuration *c = &s->configurations[s->next];

    (void)resp;
    s->call = NULL;
    if (err && lost_race(c, err)) {
        s->untold |= !s->removing;
        leave_configuration(s);
        return;
    }
    if (err) {
        skip_configuration(s, err);
        return;
    }
    c->raced = false;
    c->others_rounds = 0;
    c->told = 0;
    log_info(s->removing ? "The webhook configuration %s trusts only the authority of Secret %s/%s now"
                         : "The webhook configuration %s trusts the authority of Secret %s/%s now",
             c->name, s->ns, s->secret);
    leave_configuration(s);
}

/* Other replicas may serve with it, and would say so by now. Rounds after a failure come too fast to count. */
static bool may_remove(struct cert_secret *s, uint64_t others)
{
    struct configuration *c = &s->configurations[s->next];

    if (c->others != others)
        c->others_rounds = 0;
    c->others = others;
    c->others_rounds += s->regular;
    return c->others_rounds >= CERT_SECRET_KEEP_ROUNDS;
}

static void compare(struct cert_secret *s, yyjson_val *configuration, struct buf *patch)
{
    struct cert_bundle_target t = {
        .ns = s->ns, .service = s->service, .wanted = &s->wanted, .keep_others = true, .now = time_wall_s()
    };
    uint64_t others;
    enum cert_bundle_state state = cert_bundle_patch(patch, configuration, &t, &others);

    if (state != CERT_BUNDLE_HAS_MORE) {
        s->configurations[s->next].others_rounds = 0;
        return;
    }
    t.keep_others = !may_remove(s, others);
    s->removing = !t.keep_others;
    if (s->removing)
        cert_bundle_patch(patch, configuration, &t, &others);
}

static void on_configuration(void *arg, const struct kube_response *resp, const struct error *err)
{
    struct cert_secret *s = arg;
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_error_ struct error *e = NULL;
    _cleanup_buf_ struct buf patch = BUF_INIT(BODY_MAX);

    s->call = NULL;
    if (err || json_parse(resp->body, &doc, &e) < 0) {
        skip_configuration(s, err ? err : e);
        return;
    }
    s->n_found++;
    compare(s, yyjson_doc_get_root(doc), &patch);
    if (buf_failed(&patch)) {
        error_set(&e, -EFBIG, "too many of its webhooks call the Service %s/%s: have less of them", s->ns, s->service);
        skip_configuration(s, e);
        return;
    }
    if (patch.n == 0) {
        s->configurations[s->next].told = 0;
        s->configurations[s->next].raced = false;
        leave_configuration(s);
        return;
    }
    _cleanup_free_ char *path = configuration_path(s);
    struct kube_request req = { .method = "PATCH",
                                .path = str_of(path),
                                .content_type = "application/json-patch+json",
                                .query = STR("fieldManager=" KUBE_FIELD_MANAGER),
                                .body = buf_str(&patch),
                                .max_body = ANSWER_MAX };
    s->verb = "patch";
    s->call = kube_call(s->client, &req, on_patched, s);
}

static void next_configuration(struct cert_secret *s)
{
    if (s->next == ARRAY_SIZE(s->configurations)) {
        end_round(s);
        return;
    }
    s->removing = false;
    _cleanup_free_ char *path = configuration_path(s);
    struct kube_request req = { .method = "GET", .path = str_of(path), .max_body = ANSWER_MAX };
    s->verb = "get";
    s->call = kube_call(s->client, &req, on_configuration, s);
}

/* Of what the Secret trusts, as much as is announced. */
static void add_set(struct cert_bundle *b, const struct cert_set *set, int64_t now)
{
    cert_bundle_add(b, str_of(set->ca_crt), SET_MAX, now);
}

/* What is served is among it until it is not served any more, whatever became of the Secret. */
static void announce(struct cert_secret *s)
{
    int64_t now = time_wall_s();

    s->wanted = CERT_BUNDLE_INIT;
    add_set(&s->wanted, &s->set, now);
    if (s->served && s->served_until > now)
        cert_bundle_add(&s->wanted, str_of(s->served_ca), CERT_BUNDLE_MAX, now);
    s->next = 0;
    s->n_found = 0;
    s->untold = false;
    next_configuration(s);
}

/* --- the Secret --- */

static char *secret_path(const struct cert_secret *s, bool collection)
{
    static const struct kube_resource secrets = { STR(""), STR("v1"), STR("secrets"), true };

    return kube_path(&secrets, str_of(s->ns), collection ? STR_NULL : str_of(s->secret), STR_NULL);
}

static void on_stored(void *arg, const struct kube_response *resp, const struct error *err)
{
    struct cert_secret *s = arg;

    (void)resp;
    s->call = NULL;
    bool first = !s->raced;
    s->raced = err && error_http(err) == 409;
    if (s->raced && first) { /* another replica was faster, as a rule: what it wrote counts */
        again(s, s->backoff.initial_ms);
        return;
    }
    if (err) {
        _cleanup_free_ char *what = mem_printf("The Secret %s/%s does not take the new certificate", s->ns, s->secret);
        fail(s, what, err);
        return;
    }
    log_info("Renewed the serving certificate in Secret %s/%s", s->ns, s->secret);
    s->told_useless = 0;
    announce(s);
}

/* secret NULL: there is none, which is for people who run the webhook by hand; the chart makes an empty one. */
static void store(struct cert_secret *s, yyjson_val *secret)
{
    _cleanup_buf_ struct buf body = BUF_SECRET_INIT(BODY_MAX);
    struct str version = json_path_str(secret, "metadata.resourceVersion");
    _cleanup_free_ char *path = secret_path(s, !secret);

    if (secret)
        buf_printf(&body, "{\"metadata\":{\"resourceVersion\":\"%" PRIstr "\"},\"data\":", STRARG(version));
    else
        buf_printf(
            &body,
            "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"%s\"},\"type\":\"Opaque\",\"data\":",
            s->secret);
    cert_set_encode(&body, &s->set);
    buf_addz(&body, "}");
    struct kube_request req = { .method = secret ? "PATCH" : "POST",
                                .path = str_of(path),
                                .content_type = secret ? "application/merge-patch+json" : NULL,
                                .query = STR("fieldManager=" KUBE_FIELD_MANAGER),
                                .body = buf_str(&body),
                                .secret = true,
                                .max_body = ANSWER_MAX };
    s->verb = secret ? "patch" : "create";
    s->call = kube_call(s->client, &req, on_stored, s);
}

/* Authorities that OpenSSL reads need not be such as are announced: other names for the blocks, too many of them, too large. */
static bool can_announce(const struct cert_secret *s, const struct cert_set *set)
{
    _cleanup_cert_bundle_ struct cert_bundle b = CERT_BUNDLE_INIT;

    add_set(&b, set, time_wall_s());
    return accepts(s, b.pem.p, set->tls_crt);
}

/* As cert_set_renew, to s->set; whatever it says can be announced. *useless tells why `old` is not looked at, when it is not. */
static int renew(struct cert_secret *s, const struct cert_set *old, struct error **useless, struct error **err)
{
    const char *const names[] = { s->names[0], s->names[1], s->names[2] };
    int r = cert_set_renew(old, names, ARRAY_SIZE(names), time_wall_s(), &s->set, err);

    if (r < 0 || !old || can_announce(s, r == 0 ? old : &s->set))
        return r;
    error_set(
        useless, -EINVAL,
        "its tls.crt is signed by none of the first %u authorities of its ca.crt, of which more cannot be announced",
        (unsigned)SET_MAX);
    cert_set_done(&s->set);
    return cert_set_renew(NULL, names, ARRAY_SIZE(names), time_wall_s(), &s->set, err);
}

static void consider(struct cert_secret *s, yyjson_val *secret)
{
    _cleanup_cert_set_ struct cert_set old = { 0 };
    _cleanup_error_ struct error *useless = NULL, *err = NULL;
    int found = cert_set_decode(secret, &old, &useless);
    int r = renew(s, found == 0 ? &old : NULL, &useless, &err);

    if (!useless || found == -ENOENT)
        s->told_useless = 0;
    else if (is_new(&s->told_useless, "", useless))
        log_warning("Secret %s/%s is written anew: %s", s->ns, s->secret, error_msg(useless));
    if (r < 0) {
        fail(s, "Cannot make a serving certificate", err);
    } else if (r > 0) {
        store(s, secret);
    } else {
        s->raced = false;
        s->set = old;
        old = (struct cert_set){ 0 };
        announce(s);
    }
}

static void on_secret(void *arg, const struct kube_response *resp, const struct error *err)
{
    struct cert_secret *s = arg;
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_error_ struct error *e = NULL;

    s->call = NULL;
    if (err && error_http(err) == 404) {
        consider(s, NULL);
        return;
    }
    if (err || json_parse_secret(resp->body, &doc, &e) < 0) {
        _cleanup_free_ char *what = mem_printf("Cannot read Secret %s/%s for the serving certificate", s->ns,
                                               s->secret);
        fail(s, what, err ? err : e);
        return;
    }
    consider(s, yyjson_doc_get_root(doc));
}

static void begin_round(void *arg)
{
    struct cert_secret *s = arg;
    _cleanup_free_ char *path = secret_path(s, false);

    struct kube_request req = { .method = "GET", .path = str_of(path), .secret = true, .max_body = ANSWER_MAX };
    s->verb = "get";
    s->call = kube_call(s->client, &req, on_secret, s);
}

/* --- life --- */

struct cert_secret *cert_secret_start(const struct cert_secret_config *config)
{
    struct cert_secret *s = mem_zalloc(sizeof(*s));

    *s = (struct cert_secret){
        .client = config->client,
        .ns = mem_strdup(config->ns),
        .secret = mem_strdup(config->secret),
        .service = mem_strdup(config->service),
        .configurations = { { .name = mem_strdup(config->validating) }, { .name = mem_strdup(config->mutating) } },
        .names = { mem_printf("%s.%s.svc", config->service, config->ns),
                   mem_printf("%s.%s", config->service, config->ns), mem_strdup(config->service) },
        .fn = config->fn,
        .arg = config->arg,
        .backoff = { .initial_ms = config->retry_ms ? config->retry_ms : RETRY_INITIAL_MS, .max_ms = RETRY_MAX_MS },
        .round_ms = config->round_ms ? config->round_ms : ROUND_MS
    };
    begin_round(s);
    return s;
}

bool cert_secret_ready(const struct cert_secret *s)
{
    /* What API servers once trusted they still do, whether or not we can look just now. */
    return s->trusted && s->served_until > time_wall_s();
}

void cert_secret_free(struct cert_secret *s)
{
    if (!s)
        return;
    loop_timer_stop(&s->timer);
    if (s->call)
        kube_call_cancel(s->call);
    cert_set_done(&s->set);
    cert_bundle_done(&s->wanted);
    free(s->served);
    free(s->served_ca);
    free(s->known);
    for (size_t i = 0; i < ARRAY_SIZE(s->configurations); i++)
        free(s->configurations[i].name);
    for (size_t i = 0; i < ARRAY_SIZE(s->names); i++)
        free(s->names[i]);
    free(s->ns);
    free(s->secret);
    free(s->service);
    free(s);
}
