/*
 * Members, reached as the controller manager reaches them: do they answer, may it do what it must, do they serve what
 * is propagated? All are asked at the same time, so that those that hang cost one deadline together.
 */
#include <stdlib.h>

#include "cli/doctor.h"
#include "cli/join.h"
#include "fed/names.h"

#define SUBJECT "Members"
#define SKEW_S 60
#define SOON_S (INT64_C(30) * 86400)
#define AT_A_TIME ((size_t)32)
#define REACH                                                                                                          \
    "Is that the address the host cluster reaches? " DOCTOR_JOIN_AGAIN                                                 \
    " with --cluster-endpoint, --cluster-proxy-url "                                                                   \
    "or --cluster-certificate-authority corrects it."

/* What one member is asked. The last one is over a connection that is judged as if it were a month later. */
enum { ASK_VERSION, ASK_RIGHTS, ASK_LATER, ASK_TYPES };

struct member {
    struct doctor_cluster *c;
    struct remote *later; /* NULL: no certificate is looked at */
    struct remote_batch *asked;
};

/* Several members. */
struct round {
    struct doctor *d;
    const struct fed_type_config **types; /* those that are propagated */
    struct kube_resource *targets;
    size_t n_types;
    yyjson_mut_doc *review;
    struct member members[AT_A_TIME];
    size_t n_members;
    struct remote_batch *v;
    size_t n;
};

/* --- asking --- */

static yyjson_mut_doc *review_of(const struct doctor *d)
{
    yyjson_mut_doc *doc = object_new("authorization.k8s.io/v1", "SelfSubjectAccessReview", STR_NULL, STR_NULL);
    yyjson_mut_val *a = json_mut_ensure_obj(doc, yyjson_mut_doc_get_root(doc), "spec.resourceAttributes");
    json_mut_set_str(doc, a, "verb", STR("*"));
    json_mut_set_str(doc, a, "group", STR("*"));
    json_mut_set_str(doc, a, "resource", STR("*"));
    if (d->config && d->config->namespaced)
        json_mut_set_str(doc, a, "namespace", d->ns);
    return doc;
}

static void take_types(struct round *r)
{
    r->types = mem_array(r->d->n_types, sizeof(*r->types));
    r->targets = mem_array(r->d->n_types, sizeof(*r->targets));
    for (size_t i = 0; i < r->d->n_types; i++) {
        const struct fed_type_config *c = r->d->types[i];
        if (!doctor_is_propagated(r->d, c))
            continue;
        r->types[r->n_types] = c;
        r->targets[r->n_types++] = (struct kube_resource){ str_of(c->target.group), str_of(c->target.version),
                                                           str_of(c->target.plural), c->target.namespaced };
    }
}

/* The same connection without a token, a month ahead. */
static struct remote *open_later(struct doctor *d, const struct doctor_cluster *c)
{
    struct kube_config_parts parts = { c->spec->api_endpoint, c->spec->proxy_url, c->spec->ca_pem,
                                       c->spec->tls_skip,     STR_NULL,           d->now + SOON_S };
    struct remote *r = NULL;
    if (!(c->spec->tls_skip & FED_TLS_SKIP_ALL))
        member_open_with(d->cli, c->name, &parts, &r, NULL);
    return r;
}

static void ask(struct round *r, const struct remote_request *req, struct remote *to)
{
    r->v[r->n++] = (struct remote_batch){ .to = to, .req = *req };
}

/* One object of each type is asked for: whether the type is served shows in the answer. */
static void ask_member(struct round *r, struct member *m)
{
    const struct doctor *d = r->d;
    bool scoped = d->config && d->config->namespaced;
    const struct remote_request version = { .method = "GET", .name = STR("/version") };
    m->asked = &r->v[r->n];
    ask(r, &version, m->c->member);
    ask(r,
        &(struct remote_request){
            .method = "POST", .resource = &res_access_reviews, .body = yyjson_mut_doc_get_root(r->review) },
        m->c->member);
    ask(r, &version, m->later ? m->later : m->c->member);
    for (size_t i = 0; i < r->n_types; i++)
        ask(r,
            &(struct remote_request){ .method = "GET",
                                      .resource = &r->targets[i],
                                      .ns = scoped && r->targets[i].namespaced ? d->ns : STR_NULL,
                                      .query = STR("limit=1&labelSelector=" FED_MANAGED_LABEL "%3D" FED_MANAGED_TRUE) },
            m->c->member);
}

/* --- judging --- */

static void judge_version(struct doctor *d, const struct member *m)
{
    const char *name = m->c->name;
    struct str version = json_path_str(yyjson_doc_get_root(m->asked[ASK_VERSION].answer), "gitVersion");
    struct str hosts = str_of(d->version ? d->version : "");
    int major, minor;
    if (doctor_version_parse(version, &major, &minor) < 0)
        doctor_addf(d, SUBJECT, name, DOCTOR_WARNING, REACH, "what answers at %s does not say its version",
                    m->c->spec->api_endpoint);
    else if (doctor_judge_versions(version, version) == DOCTOR_WARNING)
        doctor_addf(d, SUBJECT, name, DOCTOR_WARNING, "Upgrade that cluster to 1.16 or later.",
                    "answers with %" PRIstr ", which is older than 1.16", STRARG(version));
    else if (doctor_judge_versions(hosts, version) == DOCTOR_WARNING)
        doctor_addf(
            d, SUBJECT, name, DOCTOR_WARNING,
            "Versions far apart serve different types and fields: look at what is not served, and upgrade one of them.",
            "answers with %" PRIstr "; the host has %" PRIstr, STRARG(version), STRARG(hosts));
    else
        doctor_addf(d, SUBJECT, name, DOCTOR_OK, NULL, "answers with %" PRIstr, STRARG(version));
}

static void judge_clock(struct doctor *d, const struct member *m)
{
    int64_t theirs, hosts;
    if (kube_client_clock(m->c->member->client, &theirs) < 0 || kube_client_clock(d->host->client, &hosts) < 0)
        return;
    int64_t ahead = theirs - hosts;
    if (ahead > SKEW_S || ahead < -SKEW_S)
        doctor_addf(d, SUBJECT, m->c->name, DOCTOR_WARNING,
                    "Check the time service of both: certificates and tokens may be refused.",
                    "its clock is %lld s %s the host's", (long long)(ahead < 0 ? -ahead : ahead),
                    ahead > 0 ? "ahead of" : "behind");
}

static void judge_rights(struct doctor *d, const struct member *m)
{
    const struct remote_batch *b = &m->asked[ASK_RIGHTS];
    if (b->error)
        doctor_addf(d, SUBJECT, m->c->name, DOCTOR_UNKNOWN,
                    "Its account needs the right to create selfsubjectaccessreviews.authorization.k8s.io there.",
                    "its token's rights cannot be asked for: %s", error_msg(b->error));
    else if (!json_path_bool(yyjson_doc_get_root(b->answer), "status.allowed", false))
        doctor_add(d, SUBJECT, m->c->name, DOCTOR_WARNING, "its token may not do everything (* on *.*)",
                   "Fine if that is meant; otherwise this brings role and binding back: " DOCTOR_JOIN_AGAIN);
}

static void judge_types(const struct round *r, const struct member *m)
{
    _cleanup_buf_ struct buf missing = BUF_INIT(1 << 16), forbidden = BUF_INIT(1 << 16), failed = BUF_INIT(1 << 16);
    const char *why = NULL;
    for (size_t i = 0; i < r->n_types; i++) {
        const struct remote_batch *b = &m->asked[ASK_TYPES + i];
        if (!b->error)
            continue;
        struct buf *to = error_http(b->error) == 404 ? &missing : error_http(b->error) == 403 ? &forbidden : &failed;
        why = to == &failed ? error_msg(b->error) : why;
        buf_printf(to, "%s%s/%s", to->n ? ", " : "", r->types[i]->name, r->types[i]->target.version);
    }
    if (missing.n)
        doctor_addf(
            r->d, SUBJECT, m->c->name, DOCTOR_WARNING,
            "Objects of these types are not propagated there (CachedRetrievalFailed). Install the definition there, or "
            "enable a version that all members serve.",
            "does not serve %" PRIstr, STRARG(buf_str(&missing)));
    if (forbidden.n)
        doctor_addf(r->d, SUBJECT, m->c->name, DOCTOR_FAILURE, "This brings role and binding back: " DOCTOR_JOIN_AGAIN,
                    "its token may not list %" PRIstr, STRARG(buf_str(&forbidden)));
    if (failed.n)
        doctor_addf(r->d, SUBJECT, m->c->name, DOCTOR_FAILURE,
                    "Look at its API server: objects of these types are not propagated there meanwhile.",
                    "cannot list %" PRIstr ": %s", STRARG(buf_str(&failed)), why);
}

static void judge_later(struct doctor *d, const struct member *m)
{
    const struct error *e = m->asked[ASK_LATER].error;
    if (m->later && e && e->code == -EKEYREJECTED)
        doctor_addf(d, SUBJECT, m->c->name, DOCTOR_WARNING,
                    "Renew it in the cluster; a new authority has to go into caBundle.",
                    "a certificate ends within 30 days: %s", error_msg(e));
}

static void judge_member(const struct round *r, const struct member *m)
{
    const struct error *e = m->asked[ASK_VERSION].error;
    if (e && error_http(e) != 403) {
        doctor_addf(r->d, SUBJECT, m->c->name, DOCTOR_FAILURE,
                    error_http(e) == 401 ? "Get a new token: " DOCTOR_JOIN_AGAIN : REACH,
                    "cannot be reached as the controller manager does, at %s: %s", m->c->spec->api_endpoint,
                    error_msg(e));
        return;
    }
    if (e)
        doctor_addf(r->d, SUBJECT, m->c->name, DOCTOR_UNKNOWN, "Its account needs the right to get /version there.",
                    "its version cannot be read: %s", error_msg(e));
    else
        judge_version(r->d, m);
    judge_clock(r->d, m);
    judge_rights(r->d, m);
    judge_types(r, m);
    judge_later(r->d, m);
}

/* --- rounds --- */

/* Connects to what can be connected to, from cluster *i on, until the round is full. */
static int fill(struct round *r, size_t *i, struct error **err)
{
    struct doctor *d = r->d;
    for (r->n_members = 0; *i < d->n_clusters && r->n_members < AT_A_TIME; ++*i) {
        struct doctor_cluster *c = &d->clusters[*i];
        _cleanup_error_ struct error *e = NULL;
        if (!c->spec || !c->has_token)
            continue; /* told already */
        if (member_open(d->host, yyjson_doc_get_root(c->kfc), &c->member, &e) == 0)
            r->members[r->n_members++] = (struct member){ .c = c, .later = open_later(d, c) };
        else if (e->code == -ECANCELED)
            return error_move(err, &e, "%s", "");
        else
            doctor_addf(d, SUBJECT, c->name, DOCTOR_FAILURE, "Make Secret and KubeFedCluster anew: " DOCTOR_JOIN_AGAIN,
                        "no connection can be made of what is registered: %s", error_msg(e));
    }
    return 0;
}

static int examine(struct round *r, struct error **err)
{
    r->v = mem_array(r->n_members * (ASK_TYPES + r->n_types), sizeof(*r->v));
    r->n = 0;
    for (size_t i = 0; i < r->n_members; i++)
        ask_member(r, &r->members[i]);
    int k = remote_do_all(r->d->cli, r->v, r->n, err);
    for (size_t i = 0; i < r->n_members; i++) {
        if (k == 0)
            judge_member(r, &r->members[i]);
        remote_free(r->members[i].later);
        remote_free(TAKE_PTR(r->members[i].c->member));
    }
    remote_batch_done(r->v, r->n);
    return k;
}

int doctor_members(struct doctor *d, struct error **err)
{
    struct round r = { .d = d, .review = review_of(d) };
    int k = 0;
    take_types(&r);
    for (size_t i = 0; k == 0 && i < d->n_clusters;) {
        cli_progress(d->cli, "Examining members (%zu of %zu)", i + 1, d->n_clusters);
        k = fill(&r, &i, err);
        int asked = examine(&r, k == 0 ? err : NULL);
        k = k == 0 ? asked : k;
    }
    yyjson_mut_doc_free(r.review);
    free(r.targets);
    free(r.types);
    return k;
}
