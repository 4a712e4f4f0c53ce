/* The host's side of join: Secret with the token, and KubeFedCluster (api-and-cli.md 3.2 steps 9 to 11). */
#include <stdlib.h>

#include "base/encode.h"
#include "base/log.h"
#include "cli/join.h"
#include "fed/cluster.h"
#include "json/patch.h"

#define MAX_CA ((size_t)4 << 20)

static void set_token(yyjson_mut_doc *doc, const struct join *j)
{
    yyjson_mut_val *data = json_mut_ensure_obj(doc, yyjson_mut_doc_get_root(doc), "data");
    json_mut_set_str(doc, data, "token", j->token ? str_of(j->token) : STR(""));
}

/* name empty: the server completes the prefix. */
static int create_secret(struct join *j, struct str name, struct error **err)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = object_new("v1", "Secret", j->ns, name);
    _cleanup_json_ yyjson_doc *answer = NULL;
    _cleanup_free_ char *prefix = mem_printf("%s-", j->names.cluster);
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    if (str_empty(name))
        json_mut_set_str(doc, json_mut_get(root, "metadata"), "generateName", str_of(prefix));
    set_token(doc, j);
    int r = remote_create(j->host, &res_secrets, j->ns, root, &answer, err);
    if (r < 0)
        return r;
    j->secret_name = str_dup(json_path_str(yyjson_doc_get_root(answer), "metadata.name"));
    j->secret_created = true;
    cli_did(j->cli, "Secret \"%s\" created in the host cluster", j->secret_name);
    return 0;
}

/* The same token: nothing to do; another: only the token changes, labels and other keys stay. */
static int update_secret(struct join *j, yyjson_val *live, struct str name, struct error **err)
{
    j->secret_name = str_dup(name);
    if (str_eqc(json_path_str(live, "data.token"), j->token))
        return 0;
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_of(live);
    set_token(doc, j);
    int r = remote_replace(j->host, &res_secrets, j->ns, name, yyjson_mut_doc_get_root(doc), err);
    if (r < 0)
        return r;
    cli_info(j->cli, "\"Updated secret in host cluster as member cluster's token changed\" secretName=\"%" PRIstr "\"",
             STRARG(name));
    cli_did(j->cli, "Secret \"%" PRIstr "\" updated in the host cluster", STRARG(name));
    return 0;
}

/* Without --secret-name, the Secret of an existing registration is used again. */
static int write_secret(struct join *j, struct error **err)
{
    struct str name = str_of(j->options->secret_name);
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_error_ struct error *e = NULL;
    if (str_empty(name) && j->registered)
        name = json_path_str(yyjson_doc_get_root(j->registered), "spec.secretRef.name");
    if (j->cli->common.dry_run) {
        cli_print(j->cli, "secrets/%" PRIstr "%s written in the host cluster%s",
                  STRARG(str_empty(name) ? str_of(j->names.cluster) : name), str_empty(name) ? "-<generated>" : "",
                  cli_dry(j->cli));
        j->secret_name = str_dup(name);
        return 0;
    }
    if (str_empty(name))
        return create_secret(j, name, err);
    if (remote_get(j->host, &res_secrets, j->ns, name, &doc, &e) < 0)
        return is_not_found(e) ? create_secret(j, name, err) : error_move(err, &e, "%s", "");
    if (j->options->error_on_existing)
        return error_set(err, -EEXIST, "host cluster secret %" PRIstr " already exists", STRARG(name));
    return update_secret(j, yyjson_doc_get_root(doc), name, err);
}

/* What the certificate authority is when neither kubeconfig nor flag said so: A-06. */
static int add_ca(const struct join *j, yyjson_mut_doc *doc, yyjson_mut_val *spec, struct error **err)
{
    struct str pem = buf_str(&j->target.ca_pem);
    _cleanup_buf_ struct buf b = BUF_INIT(MAX_CA);
    if (str_empty(pem))
        return 0;
    int r = base64_encode(&b, pem);
    if (r < 0)
        return error_set(err, r, "certificate authority of the %s: too large", j->member->where);
    json_mut_set_str(doc, spec, "caBundle", buf_str(&b));
    return 0;
}

static void add_skipped_checks(const struct join *j, yyjson_mut_doc *doc, yyjson_mut_val *spec)
{
    static const struct {
        unsigned bit;
        const char *word;
    } checks[] = { { FED_TLS_SKIP_ALL, "*" },
                   { FED_TLS_SKIP_NAME, "SubjectName" },
                   { FED_TLS_SKIP_VALIDITY, "ValidityPeriod" } };
    yyjson_mut_val *list = yyjson_mut_arr(doc);
    for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
        if (j->target.skip & checks[i].bit)
            yyjson_mut_arr_append(list, json_mut_new_str(doc, str_of(checks[i].word)));
    if (yyjson_mut_arr_size(list))
        json_mut_set(doc, spec, "disabledTLSValidations", list);
}

static int fill_spec(struct join *j, yyjson_mut_doc *doc, yyjson_mut_val *spec, struct error **err)
{
    const struct join_target *t = &j->target;
    json_mut_set_str(doc, spec, "apiEndpoint", str_of(t->endpoint));
    int r = add_ca(j, doc, spec, err);
    if (r < 0)
        return r;
    json_mut_set_str(doc, json_mut_ensure_obj(doc, spec, "secretRef"), "name", str_of(j->secret_name));
    add_skipped_checks(j, doc, spec);
    json_mut_set_str(doc, spec, "proxyURL", t->proxy_url ? str_of(t->proxy_url) : STR(""));
    return 0;
}

/* Turns the old spec into the new one; labels, annotations and status stay. */
static int patch_cluster(struct join *j, yyjson_mut_val *spec, struct error **err)
{
    _cleanup_json_ yyjson_doc *wanted = json_freeze_val(spec);
    _cleanup_json_mut_ yyjson_mut_doc *patch = json_mut_doc_new();
    yyjson_val *old = json_get(yyjson_doc_get_root(j->registered), "spec");
    json_mut_set(patch, yyjson_mut_doc_get_root(patch), "spec",
                 json_merge_diff(patch, old, yyjson_doc_get_root(wanted)));
    struct str name = str_of(j->names.cluster);
    int r = 0;
    if (!j->cli->common.dry_run)
        r = remote_merge_patch(j->host, &res_kubefed_clusters, j->ns, name, yyjson_mut_doc_get_root(patch), err);
    if (r < 0)
        return r;
    cli_did(j->cli, "KubeFedCluster \"%s\" updated in the host cluster", j->names.cluster);
    struct str before = json_path_str(old, "secretRef.name");
    if (!str_empty(before) && !str_eqc(before, j->secret_name))
        cli_note(j->cli, "Secret \"%" PRIstr "\" of the host cluster is no longer used by cluster \"%s\".",
                 STRARG(before), j->names.cluster);
    return 0;
}

static int create_cluster(struct join *j, yyjson_mut_doc *doc, struct error **err)
{
    _cleanup_error_ struct error *e = NULL;
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    if (j->cli->common.dry_run)
        return 0;
    if (remote_create(j->host, &res_kubefed_clusters, j->ns, root, NULL, &e) < 0) {
        if (is_already_exists(e))
            return error_move(err, &e, "federated cluster %s already exists in host cluster: ", j->names.cluster);
        return error_move(err, &e, "%s", "");
    }
    cli_did(j->cli, "KubeFedCluster \"%s\" created in the host cluster", j->names.cluster);
    return 0;
}

/* Nobody would find the Secret of a registration that failed, and every further attempt would leave one more. */
static void remove_secret(struct join *j)
{
    _cleanup_error_ struct error *e = NULL;
    if (!j->secret_created)
        return;
    if (remote_delete(j->host, &res_secrets, j->ns, str_of(j->secret_name), &e) == 0)
        cli_did(j->cli, "Secret \"%s\" removed again from the host cluster", j->secret_name);
}

int join_register(struct join *j, struct error **err)
{
    cli_progress(j->cli, "Registering cluster \"%s\" in the %s", j->names.cluster, j->host->where);
    int r = write_secret(j, err);
    if (r < 0)
        return r;
    _cleanup_json_mut_ yyjson_mut_doc *doc = object_new("core.kubefed.io/v1beta1", "KubeFedCluster", j->ns,
                                                        str_of(j->names.cluster));
    yyjson_mut_val *spec = json_mut_ensure_obj(doc, yyjson_mut_doc_get_root(doc), "spec");
    r = fill_spec(j, doc, spec, err);
    if (r < 0)
        return r;
    r = j->registered ? patch_cluster(j, spec, err) : create_cluster(j, doc, err);
    /* Without an answer the cluster may be registered all the same. */
    if (r < 0 && err && error_http(*err) >= 400)
        remove_secret(j);
    if (r == 0 && j->cli->common.dry_run) {
        cli_print(j->cli, "kubefedclusters.core.kubefed.io/%s %s in the host cluster%s", j->names.cluster,
                  j->registered ? "updated" : "created", cli_dry(j->cli));
        cli_plan(j->cli, yyjson_mut_doc_get_root(doc));
    }
    return r;
}
