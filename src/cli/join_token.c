/*
 * The token that the control plane will use in a member (api-and-cli.md 3.2 step 8, A-05). In order: a token Secret that
 * the member made for the ServiceAccount by itself (Kubernetes before 1.24), a token Secret that is asked for, and, where
 * no controller fills that, a token from the TokenRequest API, which expires.
 * The token exists only in struct join; no message contains it.
 */
#include <stdlib.h>

#include "base/encode.h"
#include "base/rtime.h"
#include "cli/join.h"

#define TOKEN_TYPE "kubernetes.io/service-account-token"
#define OWNER_NOTE "kubernetes.io/service-account.name"
#define AUTOMATIC_MS 2000u
#define EXPLICIT_MS 5000u
#define POLL_MS 100u
#define YEAR_S (INT64_C(365) * 24 * 3600)
#define MAX_TOKEN ((size_t)1 << 20)

/* Takes token and CA out of a Secret. 1: done, 0: it is no token Secret of our account, or not filled yet. */
static int take_secret(struct join *j, struct str name, struct error **err)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_error_ struct error *e = NULL;
    if (remote_get(j->member, &res_secrets, j->ns, name, &doc, &e) < 0)
        return is_not_found(e) ? 0 : error_move(err, &e, "%s", "");
    yyjson_val *root = yyjson_doc_get_root(doc);
    struct str token = json_path_str(root, "data.token"), ca = json_str(json_get(json_get(root, "data"), "ca.crt"));
    struct str owner = json_str(json_get(json_path(root, "metadata.annotations"), OWNER_NOTE));
    if (!str_eqc(json_path_str(root, "type"), TOKEN_TYPE) || !str_eqc(owner, j->names.account) || str_empty(token))
        return 0;
    j->token = str_dup(token);
    j->token_ca = str_empty(ca) ? NULL : str_dup(ca);
    return 1;
}

/* Looks through the Secrets that the ServiceAccount lists. */
static int take_listed(struct join *j, struct error **err)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    int r = remote_get(j->member, &res_service_accounts, j->ns, str_of(j->names.account), &doc, err);
    if (r < 0)
        return r;
    yyjson_val *item;
    size_t i, n;
    yyjson_arr_foreach(json_get(yyjson_doc_get_root(doc), "secrets"), i, n, item)
    {
        struct str name = json_path_str(item, "name");
        r = str_empty(name) ? 0 : take_secret(j, name, err);
        if (r)
            return r;
    }
    return 0;
}

/* Kubernetes 1.24 and later make no token Secrets by themselves. */
static bool never_automatic(struct join *j)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    int64_t major = 0, minor = 0;
    if (remote_get_raw(j->member, "/version", &doc, NULL) < 0)
        return false;
    struct str text = json_path_str(yyjson_doc_get_root(doc), "minor"), digits = text;
    while (digits.n && (digits.p[digits.n - 1] < '0' || digits.p[digits.n - 1] > '9'))
        digits.n--; /* "24+" */
    return str_to_i64(json_path_str(yyjson_doc_get_root(doc), "major"), &major) == 0 &&
           str_to_i64(digits, &minor) == 0 && (major > 1 || minor >= 24);
}

static int wait_automatic(struct join *j, struct error **err)
{
    bool waiting = true;
    for (unsigned waited = 0;; waited += POLL_MS) {
        int r = take_listed(j, err);
        if (r)
            return r;
        if (waited == 0)
            waiting = !never_automatic(j);
        if (!waiting || waited >= AUTOMATIC_MS)
            return 0;
        r = cli_wait(j->cli, POLL_MS, err);
        if (r < 0)
            return r;
    }
}

/* Asks for a token Secret by creating an empty one. *ret_created: it is ours to remove. */
static int ask_for_secret(struct join *j, struct str name, bool *ret_created, struct error **err)
{
    _cleanup_error_ struct error *e = NULL;
    _cleanup_json_mut_ yyjson_mut_doc *doc = object_new("v1", "Secret", j->ns, name);
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    yyjson_mut_val *notes = json_mut_ensure_obj(doc, root, "metadata.annotations");
    json_mut_set_str(doc, notes, OWNER_NOTE, str_of(j->names.account));
    json_mut_set_str(doc, root, "type", STR(TOKEN_TYPE));
    int r = remote_create(j->member, &res_secrets, j->ns, yyjson_mut_doc_get_root(doc), NULL, &e);
    if (r < 0 && e->http_status != 409 && e->http_status != 403)
        return error_move(err, &e, "%s", "");
    *ret_created = r == 0;
    return 0;
}

static int wait_explicit(struct join *j, struct error **err)
{
    _cleanup_free_ char *name = mem_printf("%s-token", j->names.account);
    bool created = false;
    int r = take_secret(j, str_of(name), err);
    if (r)
        return r;
    r = ask_for_secret(j, str_of(name), &created, err);
    for (unsigned waited = 0; r == 0 && waited < EXPLICIT_MS; waited += POLL_MS) {
        r = take_secret(j, str_of(name), err);
        if (r == 0 && !created)
            break; /* neither ours nor usable */
        if (r == 0)
            r = cli_wait(j->cli, POLL_MS, err);
    }
    if (r == 1 && created) {
        join_note_made(j, j->member, &res_secrets, "Secret", str_of(name));
        cli_did(j->cli, "Secret \"%s\" created in the joining cluster", name);
    } else if (r <= 0 && created) {
        remote_delete(j->member, &res_secrets, j->ns, str_of(name), NULL);
    }
    return r;
}

static int request_token(struct join *j, struct error **err)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = object_new("authentication.k8s.io/v1", "TokenRequest", STR_NULL, STR_NULL);
    _cleanup_json_ yyjson_doc *answer = NULL;
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    struct remote_request req = { .method = "POST",
                                  .resource = &res_service_accounts,
                                  .ns = j->ns,
                                  .name = str_of(j->names.account),
                                  .sub = STR("token"),
                                  .body = root };
    json_mut_set_i64(doc, json_mut_ensure_obj(doc, root, "spec"), "expirationSeconds", YEAR_S);
    int r = remote_do(j->member, &req, &answer, err);
    if (r < 0)
        return error_wrap(
            err,
            "no token for service account %s in joining cluster %s: no token Secret appeared, and asking for "
            "a token failed",
            j->names.account, j->names.cluster);
    struct str token = json_path_str(yyjson_doc_get_root(answer), "status.token");
    struct str expires = json_path_str(yyjson_doc_get_root(answer), "status.expirationTimestamp");
    if (str_empty(token))
        return error_set(err, -EPROTO, "the %s answered a request for a token without one", j->member->where);
    _cleanup_buf_ struct buf b = BUF_INIT(MAX_TOKEN);
    r = base64_encode(&b, token);
    if (r < 0)
        return error_set(err, r, "the token of the %s is too large", j->member->where);
    j->token = buf_take(&b, NULL);
    if (!str_empty(expires))
        cli_note(j->cli,
                 "The token of cluster \"%s\" is valid until %" PRIstr
                 ". The controller manager renews it before that; a KubeFed of "
                 "before v0.10 does not.\nBy hand: %s join %s ... --error-on-existing=false",
                 j->names.cluster, STRARG(expires), j->cli->name, j->names.cluster);
    return 0;
}

int join_token(struct join *j, struct error **err)
{
    if (j->cli->common.dry_run)
        return 0;
    cli_progress(j->cli, "Waiting for the token of ServiceAccount \"%s\" in cluster \"%s\"", j->names.account,
                 j->names.cluster);
    bool lasting = j->token_kind != JOIN_TOKEN_REQUEST;
    int r = lasting ? wait_automatic(j, err) : 0;
    if (r == 0 && lasting)
        r = wait_explicit(j, err);
    if (r == 0 && j->token_kind == JOIN_TOKEN_SECRET)
        return error_set(
            err, -ETIMEDOUT,
            "no token Secret of ServiceAccount \"%s\" was filled in the %s: use --cluster-token request there",
            j->names.account, j->member->where);
    if (r == 0)
        r = request_token(j, err);
    return r < 0 ? r : 0;
}
