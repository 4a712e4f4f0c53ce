/*
 * The CRD of a federated type: written with a mark, never over one of somebody else, and waited for, so that what
 * follows enable in a script finds the type served.
 */
#include "base/log.h"
#include "base/rtime.h"
#include "cli/enable.h"
#include "cli/object_state.h"

#define SERVED_MS 10000u
#define SERVED_POLL_MS 100u

static int check_replaceable(struct remote *host, const struct enable_objects *o, yyjson_val *live, struct error **err)
{
    const char *why = fed_enable_crd_mismatch(&o->in, live);
    if (!why)
        return 0;
    cli_hint(
        host->cli,
        "Give another --federated-group, or delete it. To let enable replace it: kubectl label crd %s " FED_ENABLED_LABEL
        "=true",
        o->crd_name);
    return error_set(err, -EEXIST, "Error updating CRD \"%s\": it exists and is not that of a federated type: %s",
                     o->crd_name, why);
}

/* The mark is not a part of what enable -o yaml prints. */
static void mark(yyjson_mut_doc *doc)
{
    yyjson_mut_val *labels = json_mut_ensure_obj(doc, yyjson_mut_doc_get_root(doc), "metadata.labels");
    json_mut_set_str(doc, labels, FED_ENABLED_LABEL, STR("true"));
}

static int create(struct remote *host, const struct enable_objects *o, struct error **err)
{
    _cleanup_json_ yyjson_doc *frozen = json_freeze(o->crd);
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_of(yyjson_doc_get_root(frozen));
    mark(doc);
    return remote_create(host, &res_crds, STR_NULL, yyjson_mut_doc_get_root(doc), NULL, err);
}

static int update(struct remote *host, const struct enable_objects *o, yyjson_val *live, struct error **err)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_of(live);
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    yyjson_mut_val *spec = json_mut_get(yyjson_mut_doc_get_root(o->crd), "spec");
    json_mut_set(doc, root, "spec", yyjson_mut_val_mut_copy(doc, spec));
    mark(doc);
    return remote_replace(host, &res_crds, STR_NULL, str_of(o->crd_name), root, err);
}

int enable_write_crd(struct remote *host, const struct enable_objects *o, struct error **err)
{
    struct cli *cli = host->cli;
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_error_ struct error *e = NULL;
    int r = 0;

    if (remote_get(host, &res_crds, STR_NULL, str_of(o->crd_name), &doc, &e) < 0 && !is_not_found(e))
        return error_move(err, &e, "Error getting CRD \"%s\": ", o->crd_name);
    error_free(TAKE_PTR(e));
    yyjson_val *live = doc ? yyjson_doc_get_root(doc) : NULL;
    if (live)
        r = check_replaceable(host, o, live, err);
    if (r < 0)
        return r;
    if (!cli->common.dry_run)
        r = live ? update(host, o, live, &e) : create(host, o, &e);
    if (r < 0)
        return error_move(err, &e, "Error %s CRD \"%s\": ", live ? "updating" : "creating", o->crd_name);
    cli_print(cli, "customresourcedefinition.apiextensions.k8s.io/%s %s%s", o->crd_name, live ? "updated" : "created",
              cli_dry(cli));
    if (!cli->common.dry_run)
        cli_did(cli, "CustomResourceDefinition \"%s\" %s", o->crd_name, live ? "updated" : "created");
    return 0;
}

/* --- waiting --- */

static int stop(void *arg, yyjson_val *item)
{
    (void)arg;
    (void)item;
    return 1;
}

/* Any answer but "not found" comes from the new type, also that the user may not list it. */
static int answers(struct remote *host, const struct enable_objects *o, struct error **err)
{
    yyjson_mut_val *v = json_mut_path(yyjson_mut_doc_get_root(o->type_config), "spec.federatedType");
    struct kube_resource res = { json_mut_str(json_mut_get(v, "group")), json_mut_str(json_mut_get(v, "version")),
                                 json_mut_str(json_mut_get(v, "pluralName")), fed_enable_federated_namespaced(&o->in) };
    _cleanup_error_ struct error *e = NULL;
    int r = remote_list(host, &res, STR_NULL, 1, stop, NULL, &e);
    if (r == -ECANCELED)
        return error_move(err, &e, "%s", "");
    return r >= 0 || !is_not_found(e);
}

/* 1: served, 0: not yet. *refused, owned: why it will not be. */
static int look(struct remote *host, const struct enable_objects *o, char **refused, struct error **err)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    int r = remote_get(host, &res_crds, STR_NULL, str_of(o->crd_name), &doc, err);
    if (r < 0)
        return r;
    yyjson_val *crd = yyjson_doc_get_root(doc), *names = condition_of(crd, "NamesAccepted");
    if (str_eqc(json_path_str(names, "status"), "False"))
        *refused = str_dup(json_path_str(names, "message"));
    return str_eqc(json_path_str(condition_of(crd, "Established"), "status"), "True") ? answers(host, o, err) : 0;
}

int enable_wait_served(struct remote *host, const struct enable_objects *o, struct error **err)
{
    uint64_t deadline = time_mono_ms() + SERVED_MS;
    cli_progress(host->cli, "Waiting until the %s serves \"%s\"", host->where, o->crd_name);
    for (;;) {
        _cleanup_free_ char *refused = NULL;
        int r = look(host, o, &refused, err);
        if (r < 0 || (r > 0 && !refused))
            return r < 0 ? r : 0;
        if (refused) {
            cli_warning(host->cli, "\"%s\" cannot be served under all of its names: %s", o->crd_name, refused);
            return 0;
        }
        if (time_mono_ms() >= deadline) {
            cli_warning(host->cli, "\"%s\" is not served yet after %u s", o->crd_name, SERVED_MS / 1000u);
            return 0;
        }
        r = cli_wait(host->cli, SERVED_POLL_MS, err);
        if (r < 0)
            return r;
    }
}
