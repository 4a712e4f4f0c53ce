/* See admit.h. */
#include "webhook/admit.h"

#include "base/exposition.h"
#include "base/log.h"
#include "base/rtime.h"
#include "fed/admission.h"
#include "fed/config.h"
#include "fed/names.h"
#include "webhook/review.h"

#define PATCH_MAX ((size_t)64 << 10)

/* 0: allowed; -EINVAL: a rule is violated; -EBADMSG: not decodable. */
typedef int judge_fn(const struct review *r, struct error **err);

static int judge_type_config(const struct review *r, struct error **err)
{
    return fed_admit_type_config(r->object, !str_empty(r->subresource), err);
}

static int judge_cluster(const struct review *r, struct error **err)
{
    return fed_admit_cluster(r->object, str_eqc(r->subresource, "status"), err);
}

/* What cannot be read is told before what is against a rule. */
static int judge_config(const struct review *r, struct error **err)
{
    bool update = str_eqc(r->operation, "UPDATE");
    int code = fed_admit_config(r->object, update ? r->old_object : NULL, err);

    if (code == -EBADMSG || !update || yyjson_is_obj(r->old_object))
        return code;
    if (!r->old_object || yyjson_is_null(r->old_object))
        return error_set(err, -EBADMSG, "request.oldObject of an UPDATE: there is no content to decode");
    return error_set(err, -EBADMSG, "request.oldObject of an UPDATE: a KubeFedConfig must be an object");
}

static const struct path {
    const char *path, *resource;
    judge_fn *judge; /* NULL: fills in defaults */
} paths[ADMIT_PATHS] = {
    { "/validate-federatedtypeconfigs", "federatedtypeconfigs", judge_type_config },
    { "/validate-kubefedcluster", "kubefedclusters", judge_cluster },
    { "/validate-kubefedconfig", "kubefedconfigs", judge_config },
    { "/default-kubefedconfig", NULL, NULL },
};

/* --- one review --- */

/* Other operations and other resources are allowed unseen (4.3). */
static bool is_judged(const struct path *p, const struct review *r)
{
    return (str_eqc(r->operation, "CREATE") || str_eqc(r->operation, "UPDATE")) && str_eqc(r->group, FED_CORE_GROUP) &&
           str_eqc(r->resource, p->resource);
}

static void validate(const struct path *p, const struct review *r, struct admit_count *count, struct buf *out)
{
    _cleanup_error_ struct error *err = NULL;
    int code = is_judged(p, r) ? p->judge(r, &err) : 0;

    if (code == 0) {
        count->allowed++;
        review_allow(out, r);
        return;
    }
    count->denied++;
    log_verbose(2, "%s: %s denied: %s", p->path, p->resource, error_msg(err));
    if (code == -EBADMSG)
        review_deny(out, r, 400, "BadRequest", error_msg(err));
    else
        review_deny(out, r, 403, "Forbidden", error_msg(err));
}

static void fill_in(const struct review *r, struct admit_count *count, struct buf *out)
{
    _cleanup_buf_ struct buf patch = BUF_INIT(PATCH_MAX);

    if (!yyjson_is_obj(r->object)) {
        count->denied++;
        review_deny(out, r, 400, "BadRequest", "the request has no object");
        return;
    }
    count->allowed++;
    if (fed_config_default_patch(r->object, &patch))
        review_patch(out, r, buf_str(&patch));
    else
        review_allow(out, r);
}

static struct str header(const struct http_server_request *req, const char *name)
{
    for (size_t i = 0; i < req->n_headers; i++)
        if (str_eqc(req->headers[i].name, name))
            return req->headers[i].value;
    return STR("");
}

/* A denial: of anything else (the status 413, a review without uid) an API server does not show the words, and with the policy
 * Ignore it would let the object pass. */
static void too_large(const struct path *p, struct str body, const struct error *err, struct admit_count *count,
                      struct buf *out)
{
    struct review r;

    if (!review_peek(body, &r)) {
        count->malformed++;
        review_malformed(out, error_msg(err));
        return;
    }
    count->denied++;
    log_verbose(2, "%s: denied: %s", p->path, error_msg(err));
    review_deny(out, &r, 413, "RequestEntityTooLarge", error_msg(err));
}

static void review(const struct path *p, struct admit_count *count, const struct http_server_request *req,
                   struct buf *out)
{
    _cleanup_error_ struct error *err = NULL;
    struct str type = header(req, "content-type");
    struct review r;

    if (!str_eqc(type, "application/json")) {
        _cleanup_free_ char *text = mem_printf("contentType=%" PRIstr ", expected application/json",
                                               STRARG(str_n(type.p, MIN(type.n, (size_t)200))));
        count->malformed++;
        review_malformed(out, text);
        return;
    }
    int code = review_decode(req->body, &r, &err);
    if (code == -EFBIG) {
        too_large(p, req->body, err, count, out);
        return;
    }
    if (code < 0) {
        count->malformed++;
        review_malformed(out, error_msg(err));
        return;
    }
    if (p->judge)
        validate(p, &r, count, out);
    else
        fill_in(&r, count, out);
    review_done(&r);
}

/* --- paths --- */

static void text(struct http_server_response *resp, int status, const char *body)
{
    resp->status = status;
    resp->content_type = "text/plain; charset=utf-8";
    buf_addz(&resp->body, body);
}

static bool has_verbose(struct str query)
{
    struct str part, rest = query;

    for (bool more = true; more;) {
        more = str_cut(rest, '&', &part, &rest);
        if (str_eqc(part, "verbose") || str_has_prefix(part, STR("verbose=")))
            return true;
    }
    return false;
}

static void serve_ready(const struct admit *a, const struct http_server_request *req, struct http_server_response *resp)
{
    const char *unready = a->unready ? a->unready(a->arg) : NULL;

    if (str_eqc(req->path, "/readyz")) {
        text(resp, 301, "<a href=\"/readyz/\">Moved Permanently</a>.\n\n");
        resp->location = "/readyz/";
    } else if (str_eqc(req->path, "/readyz/ping")) {
        text(resp, 200, "ok");
    } else if (!str_eqc(req->path, "/readyz/")) {
        text(resp, 404, "404 page not found\n");
    } else if (unready) {
        _cleanup_free_ char *message = mem_printf("[+]ping ok\n[-]%s\nhealthz check failed\n", unready);
        text(resp, 500, message);
    } else {
        text(resp, 200, has_verbose(req->query) ? "[+]ping ok\n[+]certificate ok\nhealthz check passed\n" : "ok");
    }
}

static const int statuses[ADMIT_STATUSES] = { 200, 405, 500 };

static void serve_path(const struct path *p, struct admit_count *count, const struct http_server_request *req,
                       struct http_server_response *resp)
{
    uint64_t began = time_mono_ns();

    if (!str_eqc(req->method, "POST")) {
        text(resp, 405, "405 only POST\n");
    } else {
        resp->status = 200;
        resp->content_type = "application/json";
        review(p, count, req, &resp->body);
    }
    for (size_t i = 0; i < ADMIT_STATUSES; i++)
        count->statuses[i] += resp->status == statuses[i];
    count->latency.buckets = &histogram_default;
    histogram_observe(&count->latency, time_mono_ns() - began);
}

void admit_serve(void *arg, const struct http_server_request *req, struct http_server_response *resp)
{
    struct admit *a = arg;

    for (size_t i = 0; i < ADMIT_PATHS; i++) {
        if (!str_eqc(req->path, paths[i].path))
            continue;
        serve_path(&paths[i], &a->counts[i], req, resp);
        return;
    }
    if (str_has_prefix(req->path, STR("/readyz")))
        serve_ready(a, req, resp);
    else
        text(resp, 404, "404 page not found\n");
}

/* --- metrics --- */

static void put_requests(const struct admit *a, struct buf *out)
{
    static const char name[] = "controller_runtime_webhook_requests_total";
    char code[8];

    metric_head(out, name, "counter", "Total number of admission requests by HTTP status code.");
    for (size_t i = 0; i < ADMIT_PATHS; i++)
        for (size_t k = 0; k < ADMIT_STATUSES; k++) {
            snprintf(code, sizeof(code), "%d", statuses[k]);
            _cleanup_free_ char *labels = metric_labels("webhook", paths[i].path, "code", code);
            metric_count(out, name, labels, a->counts[i].statuses[k]);
        }
}

static void put_latency(const struct admit *a, struct buf *out)
{
    static const char name[] = "controller_runtime_webhook_latency_seconds";

    metric_head(out, name, "histogram", "Histogram of the latency of processing admission requests");
    for (size_t i = 0; i < ADMIT_PATHS; i++) {
        _cleanup_free_ char *labels = metric_labels("webhook", paths[i].path);
        struct histogram h = a->counts[i].latency;

        h.buckets = &histogram_default;
        histogram_write(&h, out, name, labels);
    }
}

/* A request is judged in one go: whoever asks for metrics asks between two of them. */
static void put_in_flight(struct buf *out)
{
    static const char name[] = "controller_runtime_webhook_requests_in_flight";

    metric_head(out, name, "gauge", "Current number of admission requests being served.");
    for (size_t i = 0; i < ADMIT_PATHS; i++) {
        _cleanup_free_ char *labels = metric_labels("webhook", paths[i].path);
        metric_count(out, name, labels, 0);
    }
}

static void put_reviews(const struct admit *a, struct buf *out)
{
    static const char name[] = "kubefed_webhook_reviews_total";

    metric_head(out, name, "counter", "What was said of the objects: allowed, denied, or malformed requests.");
    for (size_t i = 0; i < ADMIT_PATHS; i++) {
        const struct admit_count *c = &a->counts[i];
        const struct {
            const char *result;
            uint64_t n;
        } rows[] = { { "allowed", c->allowed }, { "denied", c->denied }, { "malformed", c->malformed } };

        for (size_t k = 0; k < ARRAY_SIZE(rows); k++) {
            _cleanup_free_ char *labels = metric_labels("webhook", paths[i].path, "result", rows[k].result);
            metric_count(out, name, labels, rows[k].n);
        }
    }
}

void admit_metrics(const struct admit *a, struct buf *out)
{
    static const char expiry[] = "kubefed_webhook_certificate_expiry_seconds";

    put_requests(a, out);
    put_latency(a, out);
    put_in_flight(out);
    put_reviews(a, out);
    metric_head(out, expiry, "gauge", "When the serving certificate ends, in seconds since the epoch.");
    metric_real(out, expiry, NULL, (double)a->certificate_until);
}
