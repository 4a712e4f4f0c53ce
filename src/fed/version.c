/*
 * Version records. The hashes must agree byte for byte with those that KubeFed stored (controllers.md 5.9): the canonical
 * form comes from json/canonical.h, here only the fixed members of overrides are laid out.
 */
#include "fed/version.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "base/encode.h"
#include "fed/names.h"
#include "json/canonical.h"

struct fed_versions {
    struct str template_hash, overrides_hash;
    struct fed_cluster_version *v; /* sorted by cluster */
    size_t n;
};

/* --- hashes --- */

static void md5_hex(struct str text, char out[static FED_HASH_LEN + 1])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    int ok = EVP_Digest(text.p, text.n, digest, &len, EVP_md5(), NULL);

    assert(ok == 1 && len * 2 == FED_HASH_LEN);
    (void)ok;
    hex_encode(digest, len, out);
}

static bool is_absent(yyjson_val *v)
{
    return !v || yyjson_is_null(v);
}

void fed_template_hash(yyjson_val *fed_object, char out[static FED_HASH_LEN + 1])
{
    yyjson_val *template = json_path(fed_object, "spec.template");
    _cleanup_buf_ struct buf b = BUF_INIT(SIZE_MAX);

    out[0] = '\0';
    if (is_absent(template))
        return;
    json_canonical(&b, template, 0);
    buf_addc(&b, '\n');
    md5_hex(buf_str(&b), out);
}

/* A string member that is always there, or left out when empty. -EINVAL for another type. */
static int add_text(struct buf *b, yyjson_val *obj, const char *key, bool omit_empty, const char *separator)
{
    yyjson_val *v = json_get(obj, key);
    struct str s = json_str(v);

    if (!is_absent(v) && !yyjson_is_str(v))
        return -EINVAL;
    if (omit_empty && s.n == 0)
        return 0;
    buf_printf(b, "%s\"%s\":", separator, key);
    json_canonical_str(b, s);
    return 0;
}

static int add_override(struct buf *b, yyjson_val *v)
{
    yyjson_val *value = json_get(v, "value");
    size_t start;

    if (!is_absent(v) && !yyjson_is_obj(v))
        return -EINVAL;
    buf_addc(b, '{');
    start = b->n;
    if (add_text(b, v, "op", true, "") < 0 || add_text(b, v, "path", false, b->n > start ? "," : "") < 0)
        return -EINVAL;
    if (!is_absent(value)) {
        buf_addz(b, ",\"value\":");
        json_canonical(b, value, JSON_CANON_FLOAT64);
    }
    buf_addc(b, '}');
    return 0;
}

static int add_list(struct buf *b, yyjson_val *list, int (*add)(struct buf *b, yyjson_val *v))
{
    yyjson_val *item;
    size_t i, n;

    buf_addc(b, '[');
    yyjson_arr_foreach(list, i, n, item)
    {
        if (i)
            buf_addc(b, ',');
        if (add(b, item) < 0)
            return -EINVAL;
    }
    buf_addc(b, ']');
    return 0;
}

static int add_cluster(struct buf *b, yyjson_val *v)
{
    yyjson_val *list = json_get(v, "clusterOverrides");

    if ((!is_absent(v) && !yyjson_is_obj(v)) || (!is_absent(list) && !yyjson_is_arr(list)))
        return -EINVAL;
    buf_addc(b, '{');
    if (add_text(b, v, "clusterName", false, "") < 0)
        return -EINVAL;
    if (yyjson_arr_size(list) > 0) {
        buf_addz(b, ",\"clusterOverrides\":");
        if (add_list(b, list, add_override) < 0)
            return -EINVAL;
    }
    buf_addc(b, '}');
    return 0;
}

int fed_overrides_hash(yyjson_val *fed_object, char out[static FED_HASH_LEN + 1])
{
    yyjson_val *spec = json_get(fed_object, "spec"), *overrides = json_get(spec, "overrides");
    _cleanup_buf_ struct buf b = BUF_INIT(SIZE_MAX);

    out[0] = '\0';
    if (is_absent(spec))
        return 0;
    if (!yyjson_is_obj(spec) || (!is_absent(overrides) && !yyjson_is_arr(overrides)))
        return -EINVAL;
    buf_addz(&b, "{\"overrides\":");
    if (is_absent(overrides))
        buf_addz(&b, "null");
    else if (add_list(&b, overrides, add_cluster) < 0)
        return -EINVAL;
    buf_addz(&b, "}\n");
    md5_hex(buf_str(&b), out);
    return 0;
}

/* --- names --- */

char *fed_version_name(const struct fed_type_config *type, struct str name)
{
    return fed_version_name_of(str_of(type->target.kind), name);
}

bool fed_version_is_namespaced(const struct fed_type_config *type)
{
    return type->federated.namespaced;
}

/* --- records --- */

static int compare_clusters(const void *a, const void *b)
{
    const struct fed_cluster_version *x = a, *y = b;

    return str_cmp(x->cluster, y->cluster);
}

struct fed_versions *fed_versions_decode(yyjson_val *status)
{
    yyjson_val *list = json_get(status, "clusterVersions"), *item;
    struct fed_versions *v;
    size_t i, n;

    if (!yyjson_is_obj(status))
        return NULL;
    v = mem_zalloc(sizeof(*v));
    v->template_hash = json_path_str(status, "templateVersion");
    v->overrides_hash = json_path_str(status, "overridesVersion");
    v->v = mem_array(yyjson_arr_size(list) + 1, sizeof(*v->v));
    yyjson_arr_foreach(list, i, n, item)
    {
        struct fed_cluster_version e = { json_path_str(item, "clusterName"), json_path_str(item, "version") };

        if (e.cluster.n && e.version.n)
            v->v[v->n++] = e;
    }
    qsort(v->v, v->n, sizeof(*v->v), compare_clusters);
    return v;
}

void fed_versions_free(struct fed_versions *v)
{
    if (!v)
        return;
    free(v->v);
    free(v);
}

bool fed_versions_match(const struct fed_versions *v, struct str template_hash, struct str overrides_hash)
{
    return v && str_eq(v->template_hash, template_hash) && str_eq(v->overrides_hash, overrides_hash);
}

struct str fed_versions_get(const struct fed_versions *v, struct str cluster)
{
    struct fed_cluster_version key = { .cluster = cluster };
    const struct fed_cluster_version *found;

    if (!v || v->n == 0)
        return STR_NULL;
    found = bsearch(&key, v->v, v->n, sizeof(*v->v), compare_clusters);
    return found ? found->version : STR_NULL;
}

bool fed_versions_equal(const struct fed_versions *a, const struct fed_versions *b)
{
    if (!a || !b)
        return a == b;
    if (a->n != b->n || !fed_versions_match(a, b->template_hash, b->overrides_hash))
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!str_eq(a->v[i].cluster, b->v[i].cluster) || !str_eq(a->v[i].version, b->v[i].version))
            return false;
    return true;
}

int fed_versions_encode(struct buf *out, struct str template_hash, struct str overrides_hash,
                        const struct fed_cluster_version *list, size_t n)
{
    _cleanup_free_ struct fed_cluster_version *sorted = mem_array(n + 1, sizeof(*sorted));

    if (n)
        memcpy(sorted, list, n * sizeof(*sorted));
    qsort(sorted, n, sizeof(*sorted), compare_clusters);
    buf_addz(out, "{\"templateVersion\":");
    json_canonical_str(out, template_hash);
    buf_addz(out, ",\"overridesVersion\":");
    json_canonical_str(out, overrides_hash);
    for (size_t i = 0; i < n; i++) {
        buf_addz(out, i ? ",{\"clusterName\":" : ",\"clusterVersions\":[{\"clusterName\":");
        json_canonical_str(out, sorted[i].cluster);
        buf_addz(out, ",\"version\":");
        json_canonical_str(out, sorted[i].version);
        buf_addc(out, '}');
    }
    buf_addz(out, n ? "]}" : "}");
    return buf_failed(out) ? -EFBIG : 0;
}

int fed_versions_after_run(struct buf *out, const struct fed_versions *before, struct str template_hash,
                           struct str overrides_hash, const struct fed_cluster_version *written, const bool *selected,
                           size_t n)
{
    _cleanup_free_ struct fed_cluster_version *list = mem_array(n + 1, sizeof(*list));
    bool keep = fed_versions_match(before, template_hash, overrides_hash);
    size_t used = 0;

    for (size_t i = 0; i < n; i++) {
        struct fed_cluster_version e = written[i];

        if (e.version.n == 0 && keep && selected[i])
            e.version = fed_versions_get(before, e.cluster);
        if (e.version.n)
            list[used++] = e;
    }
    return fed_versions_encode(out, template_hash, overrides_hash, list, used);
}
