/* KubeFedClusters as the host has them: valid, healthy, with a Secret whose token lasts. */
#include <stdlib.h>

#include "base/encode.h"
#include "base/rtime.h"
#include "cli/doctor.h"
#include "cli/object_state.h"
#include "cli/status.h"
#include "kube/jwt.h"
#include "net/tls_pem.h"

#define SUBJECT "Clusters"
#define NOBODY_LOOKS "A controller manager looks every few seconds: is it running, and may it write the status?"

static int take_cluster(void *arg, yyjson_val *kfc)
{
    struct doctor *d = arg;
    _cleanup_json_mut_ yyjson_mut_doc *copy = json_mut_doc_of(kfc);
    d->clusters = mem_realloc(d->clusters, (d->n_clusters + 1) * sizeof(*d->clusters));
    d->clusters[d->n_clusters++] = (struct doctor_cluster){ .name = str_dup(json_path_str(kfc, "metadata.name")),
                                                            .kfc = json_freeze(copy) };
    return 0;
}

static void check_health(struct doctor *d, struct doctor_cluster *c)
{
    struct cluster_line line;
    char since[24];
    int64_t probed;
    cluster_line_of(yyjson_doc_get_root(c->kfc), &line);
    c->ready = strcmp(line.ready, "True") == 0;
    age_of(line.since, d->now, since);
    bool known = time_parse_rfc3339(line.probed, &probed) == 0;
    if (!c->ready)
        doctor_addf(
            d, SUBJECT, c->name, DOCTOR_FAILURE,
            "See what follows about it; nothing is propagated there meanwhile. If it is gone for good: kubefedctl "
            "unjoin {name} --force",
            "not ready for %s: %" PRIstr ": %.*s", since, STRARG(line.reason), (int)MIN(line.message.n, (size_t)300),
            line.message.p ? line.message.p : "");
    if (known && d->now - probed > doctor_stale_after(d->config))
        doctor_addf(d, SUBJECT, c->name, DOCTOR_FAILURE, NOBODY_LOOKS,
                    "nobody has looked at it for %lld s: what its status says may be long past",
                    (long long)(d->now - probed));
    else if (c->ready && !known)
        doctor_addf(d, SUBJECT, c->name, DOCTOR_WARNING, NOBODY_LOOKS,
                    "it is said to be ready for %s, but not when somebody looked last", since);
    else if (c->ready)
        doctor_addf(d, SUBJECT, c->name, DOCTOR_OK, NULL, "ready for %s, %" PRIstr, since, STRARG(line.version));
}

static void check_ca(struct doctor *d, const struct doctor_cluster *c)
{
    _cleanup_error_ struct error *e = NULL;
    int64_t until;
    size_t n;
    if (!c->spec->ca_pem.n)
        return;
    if (tls_pem_first_end(c->spec->ca_pem, &until, &n, &e) < 0) {
        doctor_addf(d, SUBJECT, c->name, DOCTOR_FAILURE, "Join it again: " DOCTOR_JOIN_AGAIN, "its caBundle: %s",
                    error_msg(e));
        return;
    }
    enum doctor_verdict v = doctor_judge_end(until, 0, d->now);
    _cleanup_free_ char *text = doctor_end_text(until, d->now);
    if (v != DOCTOR_OK)
        doctor_addf(d, SUBJECT, c->name, v == DOCTOR_FAILURE && n > 1 ? DOCTOR_WARNING : v,
                    "When the cluster has a new authority, join it again: " DOCTOR_JOIN_AGAIN, "its caBundle %s", text);
}

/* What to do about a token that ends: those of ServiceAccounts are renewed by the controller manager. */
static const char *token_advice(enum doctor_verdict v, bool renewed)
{
    if (v == DOCTOR_OK)
        return NULL;
    if (v == DOCTOR_WARNING && renewed)
        return "The controller manager should have renewed it: its events about the cluster say why not "
               "(TokenRenewalFailed). By hand: " DOCTOR_JOIN_AGAIN;
    return "Get a new one: " DOCTOR_JOIN_AGAIN;
}

static void check_token(struct doctor *d, const struct doctor_cluster *c, struct str token)
{
    _cleanup_jwt_claims_ struct jwt_claims claims = { 0 };
    if (jwt_read(token, &claims) < 0 || !claims.expires_at)
        return; /* a lasting one */
    int64_t life = claims.issued_at && claims.issued_at < claims.expires_at ? claims.expires_at - claims.issued_at : 0;
    enum doctor_verdict v = doctor_judge_end(claims.expires_at, life, d->now);
    _cleanup_free_ char *text = doctor_end_text(claims.expires_at, d->now);
    d->renews |= claims.service_account != NULL;
    doctor_addf(d, SUBJECT, c->name, v, token_advice(v, claims.service_account != NULL), "its token %s", text);
}

static int check_secret(struct doctor *d, struct doctor_cluster *c, struct error **err)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_error_ struct error *e = NULL;
    struct buf token = BUF_INIT((size_t)1 << 20);
    if (remote_get(d->host, &res_secrets, d->ns, str_of(c->spec->secret_name), &doc, &e) < 0) {
        if (!is_not_found(e))
            return doctor_unreadable(d, SUBJECT, c->name, &e, err);
        doctor_addf(d, SUBJECT, c->name, DOCTOR_FAILURE, "Make one: " DOCTOR_JOIN_AGAIN,
                    "its Secret \"%s\" does not exist", c->spec->secret_name);
        return 0;
    }
    struct str encoded = json_path_str(yyjson_doc_get_root(doc), "data.token");
    c->has_token = !str_empty(encoded) && base64_decode(&token, encoded, NULL) == 0 && token.n > 0;
    if (!c->has_token)
        doctor_addf(d, SUBJECT, c->name, DOCTOR_FAILURE, "Make one: " DOCTOR_JOIN_AGAIN,
                    "its Secret \"%s\" has no usable key \"token\"", c->spec->secret_name);
    else
        check_token(d, c, buf_str(&token));
    if (token.p)
        explicit_bzero(token.p, token.cap);
    buf_done(&token);
    return 0;
}

static void check_loopback(struct doctor *d, const struct doctor_cluster *c)
{
    if (d->in_pod && !c->spec->proxy_url && doctor_is_loopback(c->spec->api_endpoint))
        doctor_addf(d, SUBJECT, c->name, DOCTOR_FAILURE,
                    "Name an address that pods can reach: " DOCTOR_JOIN_AGAIN " --cluster-endpoint https://HOST:PORT",
                    "its endpoint %s is on loopback, and the controller manager runs in a pod", c->spec->api_endpoint);
}

static int check_cluster(struct doctor *d, struct doctor_cluster *c, struct error **err)
{
    _cleanup_error_ struct error *e = NULL;
    check_health(d, c);
    if (fed_cluster_decode(yyjson_doc_get_root(c->kfc), &c->spec, &e) < 0) {
        _cleanup_free_ char *advice = mem_printf("Correct these fields: kubectl edit kubefedcluster {name} -n %" PRIstr,
                                                 STRARG(d->ns));
        doctor_addf(d, SUBJECT, c->name, DOCTOR_FAILURE, advice, "it is invalid: %s", error_msg(e));
        return 0;
    }
    check_loopback(d, c);
    check_ca(d, c);
    return check_secret(d, c, err);
}

static int by_name(const void *a, const void *b)
{
    const struct doctor_cluster *x = a, *y = b;
    return strcmp(x->name, y->name);
}

int doctor_clusters(struct doctor *d, struct error **err)
{
    _cleanup_error_ struct error *e = NULL;
    if (remote_list(d->host, &res_kubefed_clusters, d->ns, 500, take_cluster, d, &e) < 0)
        return doctor_unreadable(d, SUBJECT, "KubeFedClusters", &e, err);
    d->knows_clusters = true;
    if (!d->n_clusters) {
        doctor_add(d, SUBJECT, "any", DOCTOR_WARNING, "no cluster is registered", "kubefedctl join CLUSTER_NAME");
        return 0;
    }
    qsort(d->clusters, d->n_clusters, sizeof(*d->clusters), by_name);
    for (size_t i = 0; i < d->n_clusters; i++) {
        int r = check_cluster(d, &d->clusters[i], err);
        if (r < 0)
            return r;
    }
    return 0;
}
