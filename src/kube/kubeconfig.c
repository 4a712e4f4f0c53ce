/*
 * Reading and merging kubeconfig files. The first file that defines a name wins, as does the first current-context that
 * is not empty. Problems in any file of the list are errors, because a context taken from the wrong file would act on the
 * wrong cluster. See kubeconfig.h for ownership.
 */
#include "kube/kubeconfig.h"

#include <limits.h>
#include <stdlib.h>

#include "json/yaml.h"
#include "kube/file.h"

void kubeconfig_init(struct kubeconfig *k)
{
    *k = (struct kubeconfig){ .read_file = kube_file_read };
}

void kubeconfig_done(struct kubeconfig *k)
{
    for (size_t i = 0; i < k->n_files; i++) {
        free(k->files[i]->path);
        free(k->files[i]->dir);
        json_doc_free(k->files[i]->doc);
        free(k->files[i]);
    }
    free(k->files);
    map_done_values(&k->clusters, free);
    map_done_values(&k->users, free);
    map_done_values(&k->contexts, free);
    free(k->current);
    *k = (struct kubeconfig){ 0 };
}

bool kubeconfig_is_empty(const struct kubeconfig *k)
{
    return map_count(&k->clusters) == 0 && map_count(&k->users) == 0 && map_count(&k->contexts) == 0 && !k->current;
}

/* The folder that relative paths in the file start from; "" is the working directory. */
static char *dir_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return mem_strdup("");
    return mem_strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

static struct kubeconfig_file *keep_file(struct kubeconfig *k, const char *path, yyjson_doc *doc)
{
    struct kubeconfig_file *f = mem_zalloc(sizeof(*f));

    *f = (struct kubeconfig_file){ mem_strdup(path), dir_of(path), doc };
    MEM_GROW(k->files, k->cap_files, k->n_files);
    k->files[k->n_files++] = f;
    return f;
}

/* One of the three lists: [{name: n, <inner>: {...}}, ...]. */
static int add_list(struct map *to, const struct kubeconfig_file *f, const char *list, const char *inner,
                    struct error **err)
{
    yyjson_val *v = json_get(yyjson_doc_get_root(f->doc), list), *item;
    _cleanup_(map_done) struct map seen = MAP_INIT;
    size_t i, n;

    if (!v || yyjson_is_null(v))
        return 0;
    if (!yyjson_is_arr(v))
        return error_set(err, -EINVAL, "%s: expected a list", list);
    yyjson_arr_foreach(v, i, n, item)
    {
        struct str name = json_str(json_get(item, "name"));
        yyjson_val *value = json_get(item, inner);

        if (!name.p || memchr(name.p, 0, name.n))
            return error_set(err, -EINVAL, "%s[%zu]: expected an entry with a name", list, i);
        if (value && !yyjson_is_null(value) && !yyjson_is_obj(value))
            return error_set(err, -EINVAL, "%s[%zu].%s: expected a mapping", list, i, inner);
        if (map_has(&seen, name))
            return error_set(err, -EINVAL, "duplicate name \"%" PRIstr "\" in list %s", STRARG(name), list);
        map_put(&seen, name, f->doc);
        if (map_has(to, name))
            continue;
        struct kubeconfig_entry *e = mem_zalloc(sizeof(*e));
        *e = (struct kubeconfig_entry){ value ? value : item, f };
        map_put(to, name, e);
    }
    return 0;
}

static int check_kind(yyjson_val *root, struct error **err)
{
    static const struct {
        const char *key, *want;
    } fields[] = { { "apiVersion", "v1" }, { "kind", "Config" } };

    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        yyjson_val *v = json_get(root, fields[i].key);
        if (v && !yyjson_is_null(v) && !str_empty(json_str(v)) && !str_eqc(json_str(v), fields[i].want))
            return error_set(err, -EINVAL, "%s is \"%.*s\", expected \"%s\"", fields[i].key,
                             (int)MIN(json_str(v).n, 64u), json_str(v).p, fields[i].want);
        if (v && !yyjson_is_null(v) && !yyjson_is_str(v))
            return error_set(err, -EINVAL, "%s: expected a string", fields[i].key);
    }
    return 0;
}

static int add_root(struct kubeconfig *k, const struct kubeconfig_file *f, struct error **err)
{
    yyjson_val *root = yyjson_doc_get_root(f->doc), *current;
    int r;

    if (yyjson_is_null(root))
        return 0;
    if (!yyjson_is_obj(root))
        return error_set(err, -EINVAL, "expected a mapping with clusters, users and contexts");
    r = check_kind(root, err);
    if (r == 0)
        r = add_list(&k->clusters, f, "clusters", "cluster", err);
    if (r == 0)
        r = add_list(&k->users, f, "users", "user", err);
    if (r == 0)
        r = add_list(&k->contexts, f, "contexts", "context", err);
    if (r < 0)
        return r;
    current = json_get(root, "current-context");
    if (current && !yyjson_is_null(current) && !yyjson_is_str(current))
        return error_set(err, -EINVAL, "current-context: expected a string");
    if (!k->current && !str_empty(json_str(current)))
        k->current = str_dup(json_str(current));
    return 0;
}

int kubeconfig_add(struct kubeconfig *k, const char *path, struct str text, struct error **err)
{
    yyjson_doc *doc = NULL;
    int r = yaml_parse(text, &doc, err);

    if (r == 0)
        r = add_root(k, keep_file(k, path, doc), err);
    if (r < 0)
        error_wrap(err, "error loading config file \"%s\"", path);
    return r;
}

static int add_file(struct kubeconfig *k, const char *path, bool must_exist, struct error **err)
{
    _cleanup_buf_ struct buf text = { 0 };
    _cleanup_error_ struct error *e = NULL;
    int r = kube_file_read_once(path, KUBECONFIG_MAX, &text, &e);

    if (r == -ENOENT && !must_exist)
        return 0;
    if (r == -ENOENT)
        return error_set(err, r, "stat %s: no such file or directory", path);
    if (r < 0)
        return error_set(err, r, "error loading config file \"%s\": %s", path, error_msg(e));
    return kubeconfig_add(k, path, buf_str(&text), err);
}

int kubeconfig_read(struct kubeconfig *k, const struct kube_config_source *source, struct error **err)
{
    struct str list, head;
    const char *home;

    if (source->kubeconfig && source->kubeconfig[0])
        return add_file(k, source->kubeconfig, true, err);
    if (source->no_default_files)
        return 0;
    list = str_of(getenv("KUBECONFIG"));
    if (str_empty(list)) {
        home = getenv("HOME");
        _cleanup_free_ char *path = home && home[0] ? mem_printf("%s/.kube/config", home) : NULL;
        return path ? add_file(k, path, false, err) : 0;
    }
    while (list.p) {
        str_cut(list, ':', &head, &list);
        if (str_empty(head))
            continue;
        _cleanup_free_ char *path = str_dup(head);
        int r = add_file(k, path, false, err);
        if (r < 0)
            return r;
    }
    return 0;
}
