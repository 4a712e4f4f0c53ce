/* kube_object: one cached object in one allocation. See informer.h. */
#include <stdlib.h>

#include "kube/informer.h"

struct kube_object *kube_object_ref(struct kube_object *o)
{
    o->refs++;
    return o;
}

void kube_object_unref(struct kube_object *o)
{
    if (o && --o->refs == 0)
        free(o);
}

static void project_default(yyjson_val *live, yyjson_mut_doc *out)
{
    yyjson_mut_val *root = yyjson_mut_doc_get_root(out);
    yyjson_obj_iter it = yyjson_obj_iter_with(live);
    yyjson_val *key;
    while ((key = yyjson_obj_iter_next(&it))) {
        yyjson_mut_val *copy = yyjson_val_mut_copy(out, yyjson_obj_iter_get_val(key));
        if (yyjson_equals_str(key, "metadata"))
            json_mut_remove(copy, STR("managedFields"));
        yyjson_mut_obj_add(root, yyjson_val_mut_copy(out, key), copy);
    }
}

/* Hash of the text with the resourceVersion left out: it moves with every write and says nothing by itself. */
static uint64_t hash_without_version(struct str body, struct str rv)
{
    _cleanup_free_ char *member = mem_printf("\"resourceVersion\":\"%" PRIstr "\"", STRARG(rv));
    size_t n = strlen(member);
    const char *at = body.n ? memmem(body.p, body.n, member, n) : NULL;
    if (!at)
        return str_hash(body);
    struct str head = str_n(body.p, (size_t)(at - body.p));
    struct str tail = str_n(at + n, body.n - head.n - n);
    return str_hash(head) * 31 + str_hash(tail);
}

static struct kube_object *assemble(yyjson_val *live, struct str name, struct str body)
{
    struct str ns = json_path_str(live, "metadata.namespace"), uid = json_path_str(live, "metadata.uid");
    struct str rv = json_path_str(live, "metadata.resourceVersion");
    size_t key_len = name.n + (ns.n ? ns.n + 1 : 0);
    struct kube_object *o = mem_alloc(sizeof(*o) + key_len + uid.n + rv.n + body.n);
    *o = (struct kube_object){
        .refs = 1, .body_len = (uint32_t)body.n, .key_len = (uint16_t)key_len, .ns_len = (uint16_t)ns.n,
        .uid_len = (uint16_t)uid.n, .rv_len = (uint16_t)rv.n,
        .deleting = json_path_str(live, "metadata.deletionTimestamp").n > 0,
        .generation = json_path_i64(live, "metadata.generation", 0),
        .hash = hash_without_version(body, rv),
    };
    char *p = o->data;
    if (ns.n) {
        memcpy(p, ns.p, ns.n);
        p[ns.n] = '/';
        p += ns.n + 1;
    }
    memcpy(p, name.p, name.n);
    p += name.n;
    if (uid.n)
        memcpy(p, uid.p, uid.n);
    p += uid.n;
    if (rv.n)
        memcpy(p, rv.p, rv.n);
    p += rv.n;
    if (body.n)
        memcpy(p, body.p, body.n);
    return o;
}

int kube_object_new(yyjson_val *live, kube_project_fn *project, void *arg, struct kube_object **ret, struct error **err)
{
    struct str name = json_path_str(live, "metadata.name");
    /* Kubernetes names are at most 253 bytes, versions and uids far below; anything longer did not come from a server. */
    if (name.n == 0 || name.n > 1024 || json_path_str(live, "metadata.namespace").n > 1024 ||
        json_path_str(live, "metadata.uid").n > 1024 || json_path_str(live, "metadata.resourceVersion").n > 1024)
        return error_set(err, -EINVAL, "an object without a usable metadata.name");
    _cleanup_json_mut_ yyjson_mut_doc *out = json_mut_doc_new();
    if (project)
        project(arg, live, out);
    else
        project_default(live, out);
    _cleanup_buf_ struct buf body = BUF_INIT(BUF_MAX_DEFAULT);
    if (json_mut_write(&body, yyjson_mut_doc_get_root(out)) < 0)
        return error_set(err, -EFBIG, "object \"%" PRIstr "\" is too large", STRARG(name));
    *ret = assemble(live, name, buf_str(&body));
    return 0;
}
