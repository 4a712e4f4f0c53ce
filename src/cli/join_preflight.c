/*
 * Before join leaves anything behind, it tries what the control plane will do: to reach the member with the endpoint, the proxy and
 * the trust that the KubeFedCluster will carry, and, once there is a token, with that. Errors say how to mend what is wrong.
 */
#include <stdlib.h>

#include "base/encode.h"
#include "base/rtime.h"
#include "cli/join.h"
#include "cli/member.h"
#include "fed/cluster.h"
#include "fed/names.h"
#include "net/url.h"

#define DIAL_MS 10000u
#define RIGHTS_MS 10000u
#define RIGHTS_POLL_MS 200u
#define SKEW_TOLD_S 60

static const struct kube_resource res_deployments = { STR("apps"), STR("v1"), STR("deployments"), true };
static const struct kube_resource res_endpoints = { STR(""), STR("v1"), STR("endpoints"), true };
static const struct kube_resource res_configmaps = { STR(""), STR("v1"), STR("configmaps"), true };

/* --- loopback --- */

static bool is_loopback(const char *url)
{
    struct url u;
    struct str host;
    bool is;
    if (url_parse(str_of(url), &u, NULL) < 0)
        return false;
    host = str_of(u.host);
    is = str_eqc(host, "localhost") || str_has_suffix(host, STR(".localhost")) || str_eqc(host, "::1") ||
         str_eqc(host, "0.0.0.0") || str_eqc(host, "::") || str_has_prefix(host, STR("127."));
    url_done(&u);
    return is;
}

/* The controller manager runs in a pod with a network of its own: what is on loopback there is not what is here. */
static bool runs_in_pod(struct join *j)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    if (remote_get(j->host, &res_deployments, j->ns, STR(FED_LOCK_NAME), &doc, NULL) < 0)
        return false;
    return !json_path_bool(yyjson_doc_get_root(doc), "spec.template.spec.hostNetwork", false);
}

/* Is the member the host itself? */
static bool is_host(struct join *j)
{
    _cleanup_json_ yyjson_doc *a = NULL, *b = NULL;
    return remote_get(j->host, &res_namespaces, STR_NULL, STR("kube-system"), &a, NULL) == 0 &&
           remote_get(j->member, &res_namespaces, STR_NULL, STR("kube-system"), &b, NULL) == 0 &&
           str_eq(json_path_str(yyjson_doc_get_root(a), "metadata.uid"),
                  json_path_str(yyjson_doc_get_root(b), "metadata.uid"));
}

/* What the member calls its API server itself, or NULL. Owned. */
static char *own_endpoint(struct join *j)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    if (remote_get(j->member, &res_endpoints, STR("default"), STR("kubernetes"), &doc, NULL) < 0)
        return NULL;
    yyjson_val *subset = yyjson_arr_get_first(json_get(yyjson_doc_get_root(doc), "subsets"));
    struct str ip = json_path_str(yyjson_arr_get_first(json_get(subset, "addresses")), "ip");
    int64_t port = json_path_i64(yyjson_arr_get_first(json_get(subset, "ports")), "port", 0);
    if (str_empty(ip) || port <= 0 || port > 65535 || str_has_prefix(ip, STR("127.")))
        return NULL;
    bool six = memchr(ip.p, ':', ip.n) != NULL;
    return mem_printf("https://%s%" PRIstr "%s:%d", six ? "[" : "", STRARG(ip), six ? "]" : "", (int)port);
}

static int check_loopback(struct join *j, struct error **err)
{
    if (!is_loopback(j->target.url) || j->target.proxy_url || !runs_in_pod(j))
        return 0;
    _cleanup_free_ char *better = is_host(j) ? mem_strdup("https://kubernetes.default.svc") : own_endpoint(j);
    cli_hint(j->cli,
             "Name an address that pods of the host cluster can reach: --cluster-endpoint %s%s\n"
             "(--skip-preflight registers the cluster all the same, for scripts that change apiEndpoint afterwards.)",
             better ? better : "https://HOST:PORT",
             better && !is_host(j) ? " (that is what the cluster itself calls its API server)" : "");
    return error_set(
        err, -EHOSTUNREACH,
        "the endpoint %s of cluster \"%s\" is on loopback: it is reached from here, but not from the controller "
        "manager, which runs in a pod of the host cluster. Nothing was changed",
        j->target.endpoint, j->names.cluster);
}

/* --- dialling --- */

struct dial {
    struct str ca_pem, token;
    int64_t verify_at;
};

/* Any answer of HTTP is one. 0, or why there is none. */
static int dial(struct join *j, const struct dial *d, struct error **err)
{
    struct kube_config_parts parts = { j->target.url, j->target.proxy_url, d->ca_pem, j->target.skip,
                                       d->token,      d->verify_at };
    _cleanup_remote_ struct remote *r = NULL;
    _cleanup_error_ struct error *e = NULL;
    int k = member_open_with(j->cli, j->names.cluster, &parts, &r, err);
    if (k < 0)
        return k;
    struct kube_request req = { .method = "GET", .path = STR("/version"), .timeout_ms = DIAL_MS, .no_retry = true };
    k = kube_do(r->client, &req, NULL, NULL, &e);
    if (j->cli->interrupted)
        return error_set(err, -ECANCELED, "interrupted");
    if (k == 0 || error_http(e))
        return 0;
    return error_move(err, &e, "%s", "");
}

/* The cluster's own authority, from where every pod of it gets it, or "". */
static void read_root_ca(struct join *j, struct buf *ret)
{
    static const char *const places[] = { "default", "kube-public" };
    *ret = BUF_INIT((size_t)4 << 20);
    for (size_t i = 0; i < ARRAY_SIZE(places) && !ret->n; i++) {
        _cleanup_json_ yyjson_doc *doc = NULL;
        if (remote_get(j->member, &res_configmaps, str_of(places[i]), STR("kube-root-ca.crt"), &doc, NULL) == 0)
            buf_adds(ret, json_str(json_get(json_get(yyjson_doc_get_root(doc), "data"), FED_CA_KEY)));
    }
}

/* Reached, and refused because of a certificate or of what speaks there: no question of who dials from where. */
static bool is_about_trust(const struct error *e)
{
    return e->code == -EKEYREJECTED || e->code == -EPROTO;
}

static void hint_trust(struct join *j, const struct error *e)
{
    struct str text = str_of(error_msg(e));
    if (str_contains(text, STR("valid for")) && str_contains(text, STR(", not ")))
        cli_hint(
            j->cli,
            "Use a name that the certificate has: --cluster-endpoint https://NAME:PORT, or give up the check of names with "
            "--cluster-disabled-tls-validations SubjectName.");
    else if (str_contains(text, STR("unknown authority")))
        cli_hint(j->cli, "Give the authority that signed it: --cluster-certificate-authority FILE (PEM).");
    else if (str_contains(text, STR("expired")) || str_contains(text, STR("not valid yet")))
        cli_hint(j->cli,
                 "Renew the certificate, or set the clocks right; --cluster-disabled-tls-validations ValidityPeriod "
                 "gives up the check.");
}

static int unreachable(struct join *j, struct error **e, struct error **err)
{
    const char *through = j->target.proxy_url ? " through its proxy" : "";
    const char *lost = j->member->config->tls_server_name;
    if ((*e)->code == -ECANCELED)
        return error_move(err, e, "%s", "");
    if (j->target.chosen && !is_about_trust(*e)) { /* an address of the control plane's network */
        cli_note(j->cli, "Warning: the endpoint %s cannot be reached from here, so it is not checked: %s",
                 j->target.endpoint, error_msg(*e));
        error_free(TAKE_PTR(*e));
        j->target.unchecked = true;
        return 0;
    }
    if (lost && lost[0] && is_about_trust(*e))
        cli_hint(
            j->cli,
            "The kubeconfig verifies the certificate for tls-server-name \"%s\"; a KubeFedCluster cannot: the control plane "
            "verifies it for the host of the endpoint.",
            lost);
    hint_trust(j, *e);
    return error_move(err, e, "the control plane would not reach cluster \"%s\" at %s%s, and nothing was changed: ",
                      j->names.cluster, j->target.endpoint, through);
}

/* Without an authority in the kubeconfig: the cluster's own, else those of the system. */
static int find_trust(struct join *j, int64_t verify_at, struct error **err)
{
    _cleanup_buf_ struct buf root = BUF_INIT(0);
    _cleanup_error_ struct error *e = NULL;
    read_root_ca(j, &root);
    if (root.n) {
        struct dial own = { .ca_pem = buf_str(&root), .verify_at = verify_at };
        if (dial(j, &own, &e) == 0) {
            buf_adds(&j->target.ca_pem, buf_str(&root));
            return 0;
        }
        if (!is_about_trust(e))
            return unreachable(j, &e, err);
        error_free(TAKE_PTR(e));
    }
    struct dial system = { .verify_at = verify_at };
    if (dial(j, &system, &e) < 0)
        return unreachable(j, &e, err);
    j->target.ca_known = true; /* none is needed, and the one beside the token would not do */
    return 0;
}

/* --- clocks --- */

/* How far the clock of the one is ahead of the other's; 0 when it cannot be known. */
static int64_t ahead_of(const struct remote *a, const struct remote *b)
{
    int64_t x, y;
    return kube_client_clock(a->client, &x) == 0 && kube_client_clock(b->client, &y) == 0 ? x - y : 0;
}

static void tell_skew(struct join *j, int64_t seconds)
{
    char text[32];
    duration_format((seconds < 0 ? -seconds : seconds) * NSEC_PER_SEC, text);
    if (seconds > SKEW_TOLD_S || seconds < -SKEW_TOLD_S)
        cli_note(
            j->cli,
            "Warning: the clock of cluster \"%s\" is %s %s that of the host cluster. Certificates and tokens may be refused "
            "until the clocks agree: check the time service of both.",
            j->names.cluster, text, seconds > 0 ? "ahead of" : "behind");
}

int join_preflight(struct join *j, struct error **err)
{
    _cleanup_error_ struct error *e = NULL;
    if (j->options->skip_preflight)
        return 0;
    int r = check_loopback(j, err);
    if (r < 0)
        return r;
    cli_progress(j->cli, "Trying to reach cluster \"%s\" at %s as the control plane will", j->names.cluster,
                 j->target.endpoint);
    int64_t host_ahead = 0, skew = ahead_of(j->member, j->host);
    /* The controller manager lives by the host's clock. */
    if (kube_client_clock(j->host->client, &host_ahead) < 0 || (host_ahead > -SKEW_TOLD_S && host_ahead < SKEW_TOLD_S))
        host_ahead = 0;
    int64_t verify_at = host_ahead ? time_wall_s() + host_ahead : 0;
    tell_skew(j, skew);
    if (!j->target.ca_known && !(j->target.skip & FED_TLS_SKIP_ALL) &&
        str_has_prefix(str_of(j->target.url), STR("https:")))
        return find_trust(j, verify_at, err);
    struct dial d = { .ca_pem = buf_str(&j->target.ca_pem), .verify_at = verify_at };
    return dial(j, &d, &e) < 0 ? unreachable(j, &e, err) : 0;
}

/* --- with the token --- */

/* Asks with the token whether it may do everything that the control plane wants. 1: yes, 0: not (yet). */
static int may_do_all(struct join *j, struct remote *r, struct error **err)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = object_new("authorization.k8s.io/v1", "SelfSubjectAccessReview", STR_NULL,
                                                        STR_NULL);
    _cleanup_json_ yyjson_doc *answer = NULL;
    yyjson_mut_val *a = json_mut_ensure_obj(doc, yyjson_mut_doc_get_root(doc), "spec.resourceAttributes");
    json_mut_set_str(doc, a, "verb", STR("*"));
    json_mut_set_str(doc, a, "group", STR("*"));
    json_mut_set_str(doc, a, "resource", STR("*"));
    if (j->namespaced)
        json_mut_set_str(doc, a, "namespace", j->ns);
    int k = remote_create(r, &res_access_reviews, STR_NULL, yyjson_mut_doc_get_root(doc), &answer, err);
    return k < 0 ? k : json_path_bool(yyjson_doc_get_root(answer), "status.allowed", false);
}

/* Roles and tokens of a moment ago may take the API server some time. */
static int wait_for_rights(struct join *j, struct remote *r, struct error **err)
{
    uint64_t deadline = time_mono_ms() + RIGHTS_MS;
    for (;;) {
        _cleanup_error_ struct error *e = NULL;
        int k = may_do_all(j, r, &e);
        if (k > 0)
            return 0;
        if (k == -ECANCELED)
            return error_move(err, &e, "%s", "");
        if (k < 0 && error_http(e) != 401)
            return error_move(err, &e, "%s", "");
        if (time_mono_ms() >= deadline && k < 0)
            return error_set_http(
                err, e->code, 401, STR("Unauthorized"),
                "the API server does not accept the token that it gave out for ServiceAccount \"%s\"; if the "
                "clocks of its machines differ, set them right",
                j->names.account);
        if (time_mono_ms() >= deadline)
            return error_set(err, -EACCES, "the token of ServiceAccount \"%s\" does not have the rights of its role",
                             j->names.account);
        k = cli_wait(j->cli, RIGHTS_POLL_MS, err);
        if (k < 0)
            return k;
    }
}

/* The authority beside the token, where nothing better is known. */
static void take_token_ca(struct join *j)
{
    if (j->target.ca_known || j->target.ca_pem.n || !j->token_ca)
        return;
    if (base64_decode(&j->target.ca_pem, str_of(j->token_ca), NULL) < 0)
        buf_reset(&j->target.ca_pem);
}

static int verify(struct join *j, struct error **err)
{
    struct buf token = BUF_INIT((size_t)1 << 20);
    _cleanup_remote_ struct remote *r = NULL;
    int k = base64_decode(&token, str_of(j->token), NULL);
    if (k < 0)
        error_set(err, k, "the token of the %s is not base64", j->member->where);
    if (k == 0) {
        struct kube_config_parts parts = { j->target.url,  j->target.proxy_url, buf_str(&j->target.ca_pem),
                                           j->target.skip, buf_str(&token),     0 };
        k = member_open_with(j->cli, j->names.cluster, &parts, &r, err);
    }
    if (token.p)
        explicit_bzero(token.p, token.n);
    buf_done(&token);
    return k < 0 ? k : wait_for_rights(j, r, err);
}

int join_verify(struct join *j, struct error **err)
{
    _cleanup_error_ struct error *e = NULL;
    if (j->cli->common.dry_run)
        return 0;
    take_token_ca(j);
    if (j->options->skip_preflight || j->target.unchecked)
        return 0;
    cli_progress(j->cli, "Trying the token of cluster \"%s\" as the control plane will", j->names.cluster);
    if (verify(j, &e) == 0)
        return 0;
    if (e->code == -ECANCELED)
        return error_move(err, &e, "%s", "");
    hint_trust(j, e);
    join_undo(j);
    return error_move(err, &e,
                      "the control plane would not be able to use cluster \"%s\", so what was created is taken back: ",
                      j->names.cluster);
}
