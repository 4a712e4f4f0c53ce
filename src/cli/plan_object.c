/*
 * The federated object as it would be after an apply: merged here by the rules of kubectl apply, then validated, pruned and admitted
 * by the host with dryRun=All.
 */
#include <stdlib.h>

#include "cli/plan.h"
#include "json/patch.h"

#define LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"
#define DRY_RUN "dryRun=All&fieldManager=kubefedctl"

/* Members that were applied before and are no longer in the file. */
static void remove_dropped(yyjson_mut_val *merged, yyjson_val *before, yyjson_val *file)
{
    yyjson_val *key, *value;
    size_t i, n;
    yyjson_obj_foreach(before, i, n, key, value)
    {
        struct str k = json_str(key);
        yyjson_val *now = json_getn(file, k);
        yyjson_mut_val *present = yyjson_mut_obj_getn(merged, k.p, k.n);
        if (!now)
            json_mut_remove(merged, k);
        else if (yyjson_is_obj(value) && yyjson_is_obj(now) && yyjson_mut_is_obj(present))
            remove_dropped(present, value, now);
    }
}

/* What the file says: objects member by member, everything else as a whole. */
static void overlay(yyjson_mut_doc *doc, yyjson_mut_val *merged, yyjson_val *file)
{
    yyjson_val *key, *value;
    size_t i, n;
    yyjson_obj_foreach(file, i, n, key, value)
    {
        struct str k = json_str(key);
        yyjson_mut_val *present = yyjson_mut_obj_getn(merged, k.p, k.n);
        if (yyjson_is_obj(value) && yyjson_mut_is_obj(present))
            overlay(doc, present, value);
        else
            json_mut_setn(doc, merged, k, json_mut_copy(doc, value));
    }
}

/* Nobody applies these. */
static yyjson_doc *without_server_fields(yyjson_val *file)
{
    static const char *const fields[] = { "uid",      "resourceVersion", "generation",       "creationTimestamp",
                                          "selfLink", "managedFields",   "deletionTimestamp" };
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_of(file);
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc), *metadata = json_mut_get(root, "metadata");
    json_mut_remove(root, STR("status"));
    for (size_t i = 0; yyjson_mut_is_obj(metadata) && i < ARRAY_SIZE(fields); i++)
        json_mut_remove(metadata, str_of(fields[i]));
    return json_freeze(doc);
}

yyjson_mut_doc *plan_merge(yyjson_val *live, yyjson_val *file)
{
    _cleanup_json_ yyjson_doc *clean = without_server_fields(file), *before = NULL;
    yyjson_val *wanted = yyjson_doc_get_root(clean);
    if (!live)
        return json_mut_doc_of(wanted);
    yyjson_mut_doc *doc = json_mut_doc_of(live);
    struct str last = json_str(json_get(json_path(live, "metadata.annotations"), LAST_APPLIED));
    if (last.n && json_parse(last, &before, NULL) == 0) {
        _cleanup_json_ yyjson_doc *applied = without_server_fields(yyjson_doc_get_root(before));
        remove_dropped(yyjson_mut_doc_get_root(doc), yyjson_doc_get_root(applied), wanted);
    }
    overlay(doc, yyjson_mut_doc_get_root(doc), wanted);
    return doc;
}

static yyjson_mut_val *patch_of(yyjson_mut_doc *doc, yyjson_val *live, const yyjson_mut_doc *merged)
{
    _cleanup_json_ yyjson_doc *to = json_freeze(merged);
    return json_merge_diff(doc, live, yyjson_doc_get_root(to));
}

/* Rights to read are enough for a plan: then the host is not asked, and what it would prune or refuse is not known. */
static int or_as_merged(struct world *w, struct error **e, const yyjson_mut_doc *merged, bool excused, yyjson_doc **ret,
                        struct error **err)
{
    if (!excused)
        return error_move(err, e, "the host cluster would refuse it: ");
    cli_note(w->cli, "Warning: the host cluster cannot be asked what it would make of the object: %s", error_msg(*e));
    *ret = json_freeze(merged);
    return 0;
}

int plan_apply(struct world *w, const struct fed_type_config *type, yyjson_val *file, struct str ns, yyjson_doc **ret,
               struct error **err)
{
    const struct fed_api_resource *f = &type->federated;
    struct kube_resource res = { str_of(f->group), str_of(f->version), str_of(f->plural), f->namespaced };
    struct str name = json_path_str(file, "metadata.name");
    _cleanup_json_ yyjson_doc *live = NULL;
    _cleanup_json_mut_ yyjson_mut_doc *merged = NULL, *body = NULL;
    _cleanup_error_ struct error *e = NULL;
    int r = remote_get(w->host, &res, ns, name, &live, &e);
    if (r < 0 && !is_not_found(e))
        return error_move(err, &e, "%s", "");
    error_free(TAKE_PTR(e));
    merged = plan_merge(yyjson_doc_get_root(live), file);
    if (f->namespaced)
        json_mut_set_str(merged, json_mut_ensure_obj(merged, yyjson_mut_doc_get_root(merged), "metadata"), "namespace",
                         ns);
    struct remote_request req = { .method = "POST", .resource = &res, .ns = ns, .query = STR(DRY_RUN) };
    if (live) {
        body = json_mut_doc_new();
        yyjson_mut_doc_set_root(body, patch_of(body, yyjson_doc_get_root(live), merged));
        req.method = "PATCH";
        req.name = name;
        req.content_type = "application/merge-patch+json";
    }
    req.body = yyjson_mut_doc_get_root(live ? body : merged);
    r = remote_do(w->host, &req, ret, &e);
    if (r == 0)
        return 0;
    if (r == -ECANCELED)
        return error_move(err, &e, "%s", "");
    bool planned = map_has(&w->namespaces, ns) && error_http(e) == 404;
    return or_as_merged(w, &e, merged, planned || error_http(e) == 403, ret, err);
}
