/*
 * See renewal.h. One request to the member (a new token for the same ServiceAccount), one to the host (the Secret, only if it is still
 * the one that was read). Then the connection goes on with the new token. A failure is told in an event and tried again.
 */
#include "controllers/renewal.h"

#include <stdlib.h>

#include "base/encode.h"
#include "base/log.h"
#include "base/rtime.h"
#include "fed/names.h"
#include "kube/jwt.h"

#define LOOK_MS 3600000u /* the clock may be set meanwhile */
#define RETRY_INITIAL_MS 60000u
#define RETRY_MAX_MS 3600000u
#define SHORTEST_S 600 /* what the API takes */
#define MAX_TOKEN ((size_t)1 << 20)

struct renewal {
    struct cluster *cluster;
    struct jwt_claims claims;
    char *secret_version;
    int64_t seen_at; /* seconds since the epoch: its life counts from here when it does not say */
    struct loop_timer timer;
    struct kube_call *call;
    struct buf token; /* the new one, until the Secret holds it */
    uint64_t retry_ms;
};

static void look(void *arg);

int64_t renewal_due(int64_t issued_at, int64_t expires_at, int64_t now)
{
    if (expires_at <= 0)
        return 0;
    int64_t from = issued_at > 0 && issued_at < expires_at ? issued_at : MIN(now, expires_at);
    return expires_at - (expires_at - from) / 5;
}

static struct loop *loop_of(const struct renewal *r)
{
    return kube_client_loop(r->cluster->host);
}

static void tell(const struct renewal *r, const char *type, const char *reason, const char *text)
{
    const struct cluster *c = r->cluster;
    char until[21];
    time_rfc3339(r->claims.expires_at, until);
    _cleanup_free_ char *message = mem_printf("%s (it expires at %s)", text, until);
    if (strcmp(type, "Normal") == 0)
        log_info("Cluster %s: %s", c->name, message);
    else
        log_warning("Cluster %s: %s", c->name, message);
    clusters_event(c, type, reason, message);
}

static void retry(struct renewal *r, const char *what, const struct error *err)
{
    _cleanup_free_ char *text = mem_printf("The token of this cluster could not be renewed: %s: %s", what,
                                           error_msg(err));
    buf_done(&r->token);
    r->retry_ms = r->retry_ms ? MIN(r->retry_ms * 2, (uint64_t)RETRY_MAX_MS) : RETRY_INITIAL_MS;
    tell(r, "Warning", "TokenRenewalFailed", text);
    loop_timer_start(loop_of(r), &r->timer, r->retry_ms, look, r);
}

/* --- storing --- */

static void on_stored(void *arg, const struct kube_response *resp, const struct error *err)
{
    struct renewal *r = arg;
    struct cluster *c = r->cluster;
    r->call = NULL;
    if (err && error_http(err) == 409) {
        buf_done(&r->token);
        clusters_read_secret(c); /* somebody else wrote it: what it holds now counts */
        return;
    }
    if (err) {
        retry(r, "the Secret does not take it", err);
        return;
    }
    _cleanup_json_ yyjson_doc *doc = NULL;
    struct str version = STR_NULL;
    if (json_parse_secret(resp->body, &doc, NULL) == 0)
        version = json_path_str(yyjson_doc_get_root(doc), "metadata.resourceVersion");
    struct buf token = r->token;
    r->token = BUF_SECRET_INIT(MAX_TOKEN);
    if (c->client)
        kube_client_set_token(c->client, buf_str(&token));
    renewal_watch(c, buf_str(&token), version); /* r is gone */
    buf_done(&token);
    if (c->renewal)
        tell(c->renewal, "Normal", "TokenRenewed", "The token of this cluster was renewed");
}

/* Not as a document, which would leave the token in its memory. */
static void write_patch(const struct renewal *r, struct buf *out)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_new();
    yyjson_mut_val *metadata = yyjson_mut_doc_get_root(doc);
    buf_addz(out, "{\"data\":{\"" FED_TOKEN_KEY "\":\"");
    base64_encode(out, buf_str(&r->token));
    buf_addz(out, "\"}");
    if (r->secret_version[0]) {
        json_mut_set_str(doc, metadata, "resourceVersion", str_of(r->secret_version));
        buf_addz(out, ",\"metadata\":");
        json_mut_write(out, metadata);
    }
    buf_addz(out, "}");
}

static void store(struct renewal *r)
{
    static const struct kube_resource secrets = { STR(""), STR("v1"), STR("secrets"), true };
    struct cluster *c = r->cluster;
    _cleanup_free_ char *path = kube_path(&secrets, kube_object_ns(c->object), str_of(c->spec->secret_name), STR_NULL);
    _cleanup_buf_ struct buf body = BUF_SECRET_INIT(4 * MAX_TOKEN);
    write_patch(r, &body);
    struct kube_request req = { .method = "PATCH",
                                .path = str_of(path),
                                .content_type = "application/merge-patch+json",
                                .query = STR("fieldManager=" KUBE_FIELD_MANAGER),
                                .body = buf_str(&body),
                                .secret = true };
    r->call = kube_call(c->host, &req, on_stored, r);
}

/* --- asking --- */

static void on_token(void *arg, const struct kube_response *resp, const struct error *err)
{
    struct renewal *r = arg;
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_error_ struct error *e = NULL;
    r->call = NULL;
    if (err) {
        retry(r, "the member gives no new one", err);
        return;
    }
    int k = json_parse_secret(resp->body, &doc, &e);
    struct str token = json_path_str(yyjson_doc_get_root(doc), "status.token");
    if (k == 0 && (str_empty(token) || token.n > MAX_TOKEN))
        error_set(&e, -EPROTO, "its answer has no token");
    if (e) {
        retry(r, "the member gives no new one", e);
        return;
    }
    buf_adds(&r->token, token);
    store(r);
}

static void ask(struct renewal *r)
{
    static const struct kube_resource accounts = { STR(""), STR("v1"), STR("serviceaccounts"), true };
    _cleanup_free_ char *path = kube_path(&accounts, str_of(r->claims.service_account_ns),
                                          str_of(r->claims.service_account), STR("token"));
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_new();
    _cleanup_buf_ struct buf body = BUF_INIT(4096);
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    int64_t life = r->claims.issued_at > 0 ? r->claims.expires_at - r->claims.issued_at : SHORTEST_S;
    json_mut_set_str(doc, root, "apiVersion", STR("authentication.k8s.io/v1"));
    json_mut_set_str(doc, root, "kind", STR("TokenRequest"));
    json_mut_set_i64(doc, json_mut_ensure_obj(doc, root, "spec"), "expirationSeconds", MAX(life, (int64_t)SHORTEST_S));
    json_mut_write(&body, root);
    struct kube_request req = { .method = "POST", .path = str_of(path), .body = buf_str(&body), .secret = true };
    r->call = kube_call(r->cluster->client, &req, on_token, r);
}

/* Is it time? */
static void look(void *arg)
{
    struct renewal *r = arg;
    int64_t now = time_wall_s(), due = renewal_due(r->claims.issued_at, r->claims.expires_at, now);
    if (r->call || !r->cluster->client)
        return;
    if (now >= due) {
        ask(r);
        return;
    }
    uint64_t ms = MIN((uint64_t)(due - now) * 1000, (uint64_t)LOOK_MS);
    loop_timer_start(loop_of(r), &r->timer, ms, look, r);
}

int64_t renewal_planned(const struct cluster *c)
{
    const struct renewal *r = c->renewal;
    return r ? renewal_due(r->claims.issued_at, r->claims.expires_at, r->seen_at) : 0;
}

void renewal_stop(struct cluster *c)
{
    struct renewal *r = TAKE_PTR(c->renewal);
    if (!r)
        return;
    loop_timer_stop(&r->timer);
    if (r->call)
        kube_call_cancel(r->call);
    buf_done(&r->token);
    jwt_claims_done(&r->claims);
    free(r->secret_version);
    free(r);
}

void renewal_watch(struct cluster *c, struct str token, struct str secret_version)
{
    struct jwt_claims claims = { 0 };
    if (c->renewal && c->renewal->call)
        return; /* it is being renewed: the end of that looks at what there is */
    renewal_stop(c);
    int readable = jwt_read(token, &claims);
    c->token_ends = readable < 0 ? 0 : claims.expires_at;
    if (readable < 0 || !claims.service_account || claims.expires_at == 0) {
        jwt_claims_done(&claims);
        return;
    }
    struct renewal *r = mem_zalloc(sizeof(*r));
    *r = (struct renewal){ .cluster = c,
                           .seen_at = time_wall_s(),
                           .claims = claims,
                           .secret_version = str_dup(secret_version),
                           .token = BUF_SECRET_INIT(MAX_TOKEN) };
    c->renewal = r;
    look(r);
}
