/*
 * federate -f: YAML documents in, federated YAML documents out, no cluster asked. Empty documents are skipped, lists
 * are taken apart, and -n fills a missing namespace. Nothing is printed unless every document can be converted.
 */
#include <stdlib.h>

#include "cli/federate.h"
#include "fed/federate.h"
#include "json/yaml.h"

#define MAX_WARNINGS ((size_t)1 << 20)

struct conversion {
    struct cli *cli;
    struct str ns;
    yyjson_mut_doc **v;
    size_t n, cap;
    size_t document; /* number of the one at hand, from 1 */
};

/* Built-in kinds that never have a namespace: without a cluster there is nobody to ask. */
static bool is_cluster_kind(struct str kind)
{
    static const char *const kinds[] = {
        "APIService",         "ClusterRole",
        "ClusterRoleBinding", "CustomResourceDefinition",
        "IngressClass",       "MutatingWebhookConfiguration",
        "Namespace",          "Node",
        "PersistentVolume",   "PodSecurityPolicy",
        "PriorityClass",      "RuntimeClass",
        "StorageClass",       "ValidatingWebhookConfiguration",
    };
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (str_eqc(kind, kinds[i]))
            return true;
    return false;
}

static int convert_one(struct conversion *c, yyjson_val *object, struct error **err)
{
    _cleanup_json_mut_ yyjson_mut_doc *copy = NULL;
    _cleanup_json_ yyjson_doc *frozen = NULL;
    _cleanup_buf_ struct buf warnings = BUF_INIT(MAX_WARNINGS);
    yyjson_mut_doc *doc = NULL;

    if (!str_empty(c->ns) && yyjson_is_obj(object) && str_empty(json_path_str(object, "metadata.namespace")) &&
        !is_cluster_kind(json_path_str(object, "kind"))) {
        copy = json_mut_doc_of(object);
        yyjson_mut_val *metadata = json_mut_ensure_obj(copy, yyjson_mut_doc_get_root(copy), "metadata");
        if (metadata)
            json_mut_set_str(copy, metadata, "namespace", c->ns);
        frozen = json_freeze(copy);
        object = yyjson_doc_get_root(frozen);
    }
    int r = fed_federate_document(object, &doc, &warnings, err);
    if (r < 0)
        return error_wrap(err, "document %zu", c->document);
    federate_warn(c->cli, &warnings);
    MEM_GROW(c->v, c->cap, c->n);
    c->v[c->n++] = doc;
    return 0;
}

static int convert(struct conversion *c, yyjson_val *document, struct error **err)
{
    yyjson_val *items = json_get(document, "items"), *item;
    size_t i, n;
    if (yyjson_is_null(document))
        return 0;
    if (!str_has_suffix(json_path_str(document, "kind"), STR("List")) || !yyjson_is_arr(items))
        return convert_one(c, document, err);
    yyjson_arr_foreach(items, i, n, item)
    {
        int r = convert_one(c, item, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int federate_file(struct cli *cli, const struct federate_options *options, struct error **err)
{
    _cleanup_buf_ struct buf text = BUF_INIT(BUF_MAX_DEFAULT);
    struct conversion c = { .cli = cli, .ns = str_of(options->ns) };
    yyjson_doc **docs = NULL;
    size_t n = 0;
    int r = cli_read_file(options->filename, &text, err);
    if (r == 0)
        r = yaml_parse_all(buf_str(&text), &docs, &n, err);
    for (size_t i = 0; r == 0 && i < n; i++) {
        c.document = i + 1;
        r = convert(&c, yyjson_doc_get_root(docs[i]), err);
    }
    if (r < 0)
        error_wrap(err, "Failed to load yaml from file \"%s\"", options->filename);
    else if (c.n == 0)
        cli_note(cli, "There is no document in \"%s\": nothing was converted.", options->filename);
    for (size_t i = 0; i < c.n; i++) {
        if (r == 0)
            cli_print_yaml_mut(cli, yyjson_mut_doc_get_root(c.v[i]));
        yyjson_mut_doc_free(c.v[i]);
    }
    free(c.v);
    yaml_docs_free(docs, n);
    return r;
}
