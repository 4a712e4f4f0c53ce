/* Members, reached as the controller manager reaches them: do they answer, may it do what it must, do they serve what is propagated? */
#include <stdlib.h>

#include "cli/doctor.h"
#include "cli/join.h"
#include "fed/names.h"

#define SUBJECT "Members"
#define SKEW_S 60
#define SOON_S (INT64_C(30) * 86400)

/* What one member is asked, all at the same time. */
enum { ASK_VERSION, ASK_RIGHTS, ASK_TYPES };

struct questions {
    struct doctor *d;
    const struct doctor_cluster *c;
    yyjson_mut_doc *review;
    struct remote_batch *v;
    size_t n;
};

static void fill_review(struct questions *q)
{
    q->review = object_new("authorization.k8s.io/v1", "SelfSubjectAccessReview", STR_NULL, STR_NULL);
    yyjson_mut_val *a = json_mut_ensure_obj(q->review, yyjson_mut_doc_get_root(q->review), "spec.resourceAttributes");
    json_mut_set_str(q->review, a, "verb", STR("*"));
    json_mut_set_str(q->review, a, "group", STR("*"));
    json_mut_set_str(q->review, a, "resource", STR("*"));
    if (q->d->config && q->d->config->namespaced)
        json_mut_set_str(q->review, a, "namespace", q->d->ns);
}

/* One object of each type is asked for: whether the type is served shows in the answer. */
static void fill(struct questions *q, struct kube_resource *targets)
{
    struct doctor *d = q->d;
    fill_review(q);
    q->n = ASK_TYPES + d->n_types;
    q->v = mem_array(q->n, sizeof(*q->v));
    q->v[ASK_VERSION] = (struct remote_batch){ .to = q->c->member,
                                               .req = { .method = "GET", .name = STR("/version") } };
    q->v[ASK_RIGHTS] = (struct remote_batch){
        .to = q->c->member,
        .req = { .method = "POST", .resource = &res_access_reviews, .body = yyjson_mut_doc_get_root(q->review) }
    };
    for (size_t i = 0; i < d->n_types; i++) {
        const struct fed_api_resource *t = &d->types[i]->target;
        bool scoped = d->config && d->config->namespaced;
        targets[i] = (struct kube_resource){ str_of(t->group), str_of(t->version), str_of(t->plural), t->namespaced };
        q->v[ASK_TYPES + i] = (struct remote_batch){ .to = q->c->member,
                                                     .req = { .method = "GET",
                                                              .resource = &targets[i],
                                                              .ns = scoped && t->namespaced ? d->ns : STR_NULL,
                                                              .query = STR("limit=1&labelSelector=" FED_MANAGED_LABEL
                                                                           "%3D" FED_MANAGED_TRUE) } };
    }
}

static void judge_version(struct questions *q)
{
    struct doctor *d = q->d;
    struct str version = json_path_str(yyjson_doc_get_root(q->v[ASK_VERSION].answer), "gitVersion");
    enum doctor_verdict v = doctor_judge_versions(str_of(d->version), version);
    doctor_addf(
        d, SUBJECT, q->c->name, v == DOCTOR_UNKNOWN ? DOCTOR_WARNING : v,
        v == DOCTOR_OK
            ? NULL
            : "Versions far apart serve different types and fields: look at what is not served, and upgrade one of "
              "them.",
        "answers with %" PRIstr "%s%s", STRARG(version), v == DOCTOR_OK ? "" : "; the host has ",
        v == DOCTOR_OK ? "" : d->version);
}

static void judge_clock(struct questions *q)
{
    int64_t theirs, hosts;
    if (kube_client_clock(q->c->member->client, &theirs) < 0 || kube_client_clock(q->d->host->client, &hosts) < 0)
        return;
    int64_t ahead = theirs - hosts;
    if (ahead > SKEW_S || ahead < -SKEW_S)
        doctor_addf(q->d, SUBJECT, q->c->name, DOCTOR_WARNING,
                    "Check the time service of both: certificates and tokens may be refused.",
                    "its clock is %lld s %s the host's", (long long)(ahead < 0 ? -ahead : ahead),
                    ahead > 0 ? "ahead of" : "behind");
}

static void judge_rights(struct questions *q)
{
    const struct remote_batch *b = &q->v[ASK_RIGHTS];
    if (b->error)
        doctor_addf(q->d, SUBJECT, q->c->name, DOCTOR_UNKNOWN, NULL, "its token's rights cannot be asked for: %s",
                    error_msg(b->error));
    else if (!json_path_bool(yyjson_doc_get_root(b->answer), "status.allowed", false))
        doctor_add(
            q->d, SUBJECT, q->c->name, DOCTOR_WARNING, "its token may not do everything",
            "Fine if that is meant; otherwise: kubefedctl join with --error-on-existing=false brings role and binding back.");
}

static void judge_types(struct questions *q)
{
    _cleanup_buf_ struct buf missing = BUF_INIT(1 << 16), forbidden = BUF_INIT(1 << 16);
    for (size_t i = 0; i < q->d->n_types; i++) {
        const struct remote_batch *b = &q->v[ASK_TYPES + i];
        struct buf *to = error_http(b->error) == 404 ? &missing : error_http(b->error) == 403 ? &forbidden : NULL;
        if (b->error && to && q->d->types[i]->propagation_enabled)
            buf_printf(to, "%s%s/%s", to->n ? ", " : "", q->d->types[i]->name, q->d->types[i]->target.version);
    }
    if (missing.n)
        doctor_addf(
            q->d, SUBJECT, q->c->name, DOCTOR_WARNING,
            "Objects of these types are not propagated there (CachedRetrievalFailed). Install the definition there, or enable "
            "a version that all members serve.",
            "does not serve %" PRIstr, STRARG(buf_str(&missing)));
    if (forbidden.n)
        doctor_addf(q->d, SUBJECT, q->c->name, DOCTOR_FAILURE,
                    "kubefedctl join with --error-on-existing=false brings role and binding back.",
                    "its token may not list %" PRIstr, STRARG(buf_str(&forbidden)));
}

/* The certificate of the API server, seen a month ahead. */
static int judge_future(struct doctor *d, const struct doctor_cluster *c, struct error **err)
{
    struct kube_config_parts parts = { c->spec->api_endpoint, c->spec->proxy_url, c->spec->ca_pem,
                                       c->spec->tls_skip,     STR_NULL,           d->now + SOON_S };
    _cleanup_remote_ struct remote *r = NULL;
    _cleanup_error_ struct error *e = NULL;
    if ((c->spec->tls_skip & FED_TLS_SKIP_ALL) || member_open_with(d->cli, c->name, &parts, &r, &e) < 0)
        return 0;
    struct remote_batch *b = mem_array(1, sizeof(*b));
    *b = (struct remote_batch){ .to = r, .req = { .method = "GET", .name = STR("/version") } };
    int k = remote_do_all(d->cli, b, 1, err);
    if (k == 0 && b->error && b->error->code == -EKEYREJECTED)
        doctor_addf(d, SUBJECT, c->name, DOCTOR_WARNING,
                    "Renew it in the cluster; a new authority has to go into caBundle.",
                    "a certificate ends within 30 days: %s", error_msg(b->error));
    remote_batch_done(b, 1);
    return k;
}

static int examine(struct doctor *d, struct doctor_cluster *c, struct error **err)
{
    _cleanup_free_ struct kube_resource *targets = mem_array(d->n_types, sizeof(*targets));
    struct questions q = { .d = d, .c = c };
    cli_progress(d->cli, "Examining cluster \"%s\"", c->name);
    fill(&q, targets);
    int r = remote_do_all(d->cli, q.v, q.n, err);
    if (r == 0 && q.v[ASK_VERSION].error) {
        bool refused = error_http(q.v[ASK_VERSION].error) == 401;
        doctor_addf(
            d, SUBJECT, c->name, DOCTOR_FAILURE,
            refused ? "Get a new token: kubefedctl join with --error-on-existing=false."
                    : "Is that the address the host cluster reaches? kubefedctl join --error-on-existing=false with "
                      "--cluster-endpoint, --cluster-proxy-url or --cluster-certificate-authority corrects it.",
            "cannot be reached as the controller manager does, at %s: %s", c->spec->api_endpoint,
            error_msg(q.v[ASK_VERSION].error));
    } else if (r == 0) {
        judge_version(&q);
        judge_clock(&q);
        judge_rights(&q);
        judge_types(&q);
        r = judge_future(d, c, err);
    }
    remote_batch_done(q.v, q.n);
    yyjson_mut_doc_free(q.review);
    return r;
}

int doctor_members(struct doctor *d, struct error **err)
{
    for (size_t i = 0; i < d->n_clusters; i++) {
        struct doctor_cluster *c = &d->clusters[i];
        _cleanup_error_ struct error *e = NULL;
        if (!c->spec)
            continue;
        int r = member_open(d->host, yyjson_doc_get_root(c->kfc), &c->member, &e);
        if (r == -ECANCELED)
            return error_move(err, &e, "%s", "");
        if (r < 0)
            continue; /* its Secret: told already */
        r = examine(d, c, err);
        if (r < 0)
            return r;
    }
    return 0;
}
