/*
 * Cached objects: one allocation each, holding key, uid, resourceVersion and the projected body as compact JSON, with the
 * fields that everybody asks for beside them. Immutable once made, but for the marks that its informer keeps in it.
 */
#include <stdlib.h>

#include "kube/informer.h"
#include "kube/object.h"

#define BODY_MAX ((size_t)64 << 20)

struct kube_object *kube_object_ref(struct kube_object *o)
{
    assert(o->refs > 0 && o->refs < UINT32_MAX);
    o->refs++;
    return o;
}

void kube_object_unref(struct kube_object *o)
{
    if (!o)
        return;
    assert(o->refs > 0);
    if (--o->refs == 0)
        free(o);
}

int kube_object_identify(yyjson_val *live, struct kube_object_id *ret, struct error **err)
{
    yyjson_val *metadata = json_get(live, "metadata");
    struct kube_object_id id = { .name = json_str(json_get(metadata, "name")),
                                 .ns = json_str(json_get(metadata, "namespace")),
                                 .uid = json_str(json_get(metadata, "uid")),
                                 .rv = json_str(json_get(metadata, "resourceVersion")) };

    if (str_empty(id.name))
        return error_set(err, -EINVAL, "an object has no metadata.name");
    if (id.name.n + id.ns.n + 1 > UINT16_MAX || id.uid.n > UINT16_MAX || id.rv.n > UINT16_MAX)
        return error_set(err, -EINVAL, "an object has a name, uid or resourceVersion that is too long");
    *ret = id;
    return 0;
}

static void project_all(yyjson_val *live, yyjson_mut_doc *out)
{
    yyjson_mut_val *root = json_mut_copy(out, live);

    yyjson_mut_doc_set_root(out, root);
    yyjson_mut_val *metadata = json_mut_get(root, "metadata");
    if (yyjson_mut_is_obj(metadata))
        json_mut_remove(metadata, STR("managedFields"));
}

/* The hash of what was kept, without the resourceVersion: that changes with things that were not kept. */
static uint64_t content_hash(yyjson_mut_doc *doc)
{
    yyjson_mut_val *metadata = json_mut_path(yyjson_mut_doc_get_root(doc), "metadata");
    _cleanup_json_ yyjson_doc *frozen = NULL;

    if (yyjson_mut_is_obj(metadata))
        json_mut_remove(metadata, STR("resourceVersion"));
    frozen = json_freeze(doc);
    return json_hash(yyjson_doc_get_root(frozen));
}

static char *put(char *p, struct str s)
{
    if (s.n)
        memcpy(p, s.p, s.n);
    return p + s.n;
}

static struct kube_object *assemble(const struct kube_object_id *id, struct str body)
{
    size_t key_len = id->name.n + (id->ns.n ? id->ns.n + 1 : 0);
    struct kube_object *o = mem_alloc(sizeof(*o) + key_len + id->uid.n + id->rv.n + body.n);
    char *p = o->data;

    *o = (struct kube_object){ .refs = 1,
                               .body_len = (uint32_t)body.n,
                               .key_len = (uint16_t)key_len,
                               .ns_len = (uint16_t)id->ns.n,
                               .uid_len = (uint16_t)id->uid.n,
                               .rv_len = (uint16_t)id->rv.n };
    if (id->ns.n) {
        p = put(p, id->ns);
        *p++ = '/';
    }
    p = put(p, id->name);
    p = put(p, id->uid);
    p = put(p, id->rv);
    put(p, body);
    return o;
}

bool kube_object_went_back(const struct kube_object *old, const struct kube_object *now)
{
    int order;

    return kube_rv_compare(kube_object_rv(now), kube_object_rv(old), &order) == 0 && order <= 0;
}

int kube_object_new(yyjson_val *live, kube_project_fn *project, void *arg, struct kube_object **ret, struct error **err)
{
    _cleanup_json_mut_ yyjson_mut_doc *out = json_mut_doc_new();
    _cleanup_buf_ struct buf body = BUF_INIT(BODY_MAX);
    struct kube_object_id id;
    struct kube_object *o;
    yyjson_val *deleted = json_path(live, "metadata.deletionTimestamp");
    int r = kube_object_identify(live, &id, err);

    if (r < 0)
        return r;
    if (project)
        project(arg, live, out);
    else
        project_all(live, out);
    if (json_mut_write(&body, yyjson_mut_doc_get_root(out)) < 0)
        return error_set(err, -EFBIG, "an object is larger than %zu bytes", BODY_MAX);
    o = assemble(&id, buf_str(&body));
    o->deleting = deleted && !yyjson_is_null(deleted);
    o->generation = json_path_i64(live, "metadata.generation", 0);
    o->hash = content_hash(out);
    *ret = o;
    return 0;
}

int kube_rv_compare(struct str a, struct str b, int *ret)
{
    uint64_t x, y;

    if (str_to_u64(a, &x) < 0 || str_to_u64(b, &y) < 0)
        return -EINVAL;
    *ret = x < y ? -1 : x > y;
    return 0;
}
