/*
 * Candidates from the host cluster. One deadline covers everything: it ends whatever request is under way, as Ctrl-C
 * does. Names are read without the objects around them, which may be large.
 */
#include <stdlib.h>

#include "cli/complete.h"
#include "cli/types.h"
#include "fed/names.h"

#define ONLY_METADATA "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"
#define PAGE 500u
#define PER_REQUEST_MS COMPLETE_DEADLINE_MS

struct lookup {
    const struct complete_ask *ask;
    struct complete_list *list;
    struct remote *host;
};

static void on_deadline(void *arg)
{
    struct cli *cli = arg;
    cli->interrupted = true;
    loop_stop(cli->loop);
}

/* --- names of objects --- */

static int get(struct lookup *k, const char *path, struct str query, yyjson_doc **ret)
{
    _cleanup_buf_ struct buf body = BUF_INIT(BUF_MAX_DEFAULT);
    struct kube_request req = {
        .method = "GET", .path = str_of(path), .query = query, .accept = ONLY_METADATA, .timeout_ms = PER_REQUEST_MS
    };
    int r = k->host->cli->interrupted ? -ECANCELED : kube_do(k->host->client, &req, &body, NULL, NULL);
    return r < 0 ? r : json_parse(buf_str(&body), ret, NULL);
}

static int list_names(struct lookup *k, const struct kube_resource *res, struct str ns)
{
    _cleanup_free_ char *path = kube_path(res, ns, STR_NULL, STR_NULL);
    _cleanup_buf_ struct buf query = BUF_INIT(BUF_MAX_DEFAULT);
    buf_printf(&query, "limit=%u", PAGE);
    for (;;) {
        _cleanup_json_ yyjson_doc *doc = NULL;
        int r = get(k, path, buf_str(&query), &doc);
        if (r < 0)
            return r;
        yyjson_val *root = yyjson_doc_get_root(doc), *item;
        size_t i, n;
        yyjson_arr_foreach(json_get(root, "items"), i, n, item)
        {
            complete_add_name(k->list, json_path_str(item, "metadata.name"), "");
        }
        struct str next = json_path_str(root, "metadata.continue");
        if (str_empty(next) || k->list->n >= COMPLETE_MAX)
            return 0;
        buf_reset(&query);
        buf_printf(&query, "limit=%u&continue=", PAGE);
        buf_add_urlencoded(&query, next);
    }
}

/* --- clusters --- */

static int add_cluster(void *arg, yyjson_val *item)
{
    struct lookup *k = arg;
    const char *state = "";
    yyjson_val *condition;
    size_t i, n;
    yyjson_arr_foreach(json_path(item, "status.conditions"), i, n, condition)
    {
        if (str_eqc(json_path_str(condition, "type"), "Ready"))
            state = str_eqc(json_path_str(condition, "status"), "True") ? "ready" : "not ready";
    }
    complete_add_name(k->list, json_path_str(item, "metadata.name"), state);
    return 0;
}

/* --- types that are federated --- */

/* "deployments.apps", "configmaps": owned. */
static char *qualified(struct str plural, struct str group)
{
    return str_empty(group) ? str_dup(plural) : mem_printf("%" PRIstr ".%" PRIstr, STRARG(plural), STRARG(group));
}

static int add_type(void *arg, yyjson_val *item)
{
    struct lookup *k = arg;
    bool federated = k->ask->kind == COMPLETE_FEDERATED_TYPES;
    yyjson_val *type = json_path(item, federated ? "spec.federatedType" : "spec.targetType");
    struct str group = json_path_str(type, "group");
    _cleanup_free_ char *kind = str_dup(json_path_str(type, "kind"));
    if (federated && str_eqc(group, FED_TYPES_GROUP))
        group = STR_NULL;
    _cleanup_free_ char *name = k->ask->kind == COMPLETE_TYPE_CONFIGS
                                    ? str_dup(json_path_str(item, "metadata.name"))
                                    : qualified(json_path_str(type, "pluralName"), group);
    complete_add_name(k->list, str_of(name), kind);
    return 0;
}

/* The type whose objects are wanted. */
struct wanted {
    struct str key;                 /* as typed: a name of the target or of the federated type */
    bool federated;                 /* the federated type is wanted, not the target */
    char *group, *version, *plural; /* owned; plural NULL: not found */
    bool namespaced;
};

static void wanted_done(struct wanted *w)
{
    free(w->group);
    free(w->version);
    free(w->plural);
}

static bool is_called(yyjson_val *type, struct str key)
{
    struct str plural = json_path_str(type, "pluralName");
    _cleanup_free_ char *full = qualified(plural, json_path_str(type, "group"));
    return str_eq(key, plural) || str_eqc(key, full) || str_ieq(key, json_path_str(type, "kind"));
}

static int match_config(void *arg, yyjson_val *item)
{
    struct wanted *w = arg;
    yyjson_val *target = json_path(item, "spec.targetType"), *federated = json_path(item, "spec.federatedType");
    yyjson_val *type = w->federated ? federated : target;
    if (str_empty(w->key) || (!is_called(target, w->key) && !(w->federated && is_called(federated, w->key))))
        return 0;
    w->group = str_dup(json_path_str(type, "group"));
    w->version = str_dup(json_path_str(type, "version"));
    w->plural = str_dup(json_path_str(type, "pluralName"));
    /* A federated type is as its target, but for namespaces. */
    bool is_namespace = w->federated && str_eqc(json_path_str(item, "metadata.name"), FED_NAMESPACES_FTC);
    w->namespaced = is_namespace || !str_eqc(json_path_str(target, "scope"), FED_SCOPE_CLUSTER);
    return 1;
}

static int find_config(struct lookup *k, struct wanted *w)
{
    struct str ns = str_of(k->host->cli->common.ns);
    return remote_list(k->host, &res_type_configs, ns, PAGE, match_config, w, NULL);
}

/* Short names and singulars are known to discovery only. What it finds may be the target of a federated type. */
static int discover_type(struct lookup *k, struct wanted *w)
{
    _cleanup_types_ struct types types = { 0 };
    const struct kube_api_resource *r = NULL;
    int e = types_find(k->host, &types, w->key, STR_NULL, &r, NULL);
    if (e < 0)
        return e;
    _cleanup_free_ char *full = qualified(str_of(r->plural), str_of(r->group));
    w->key = str_of(full);
    e = w->federated ? find_config(k, w) : 0;
    w->key = STR_NULL;
    if (w->plural)
        return e;
    w->group = mem_strdup(r->group);
    w->version = mem_strdup(r->version);
    w->plural = mem_strdup(r->plural);
    w->namespaced = r->namespaced;
    return 0;
}

/* Of the flag, or the host's context. */
static struct str namespace_of(const struct lookup *k)
{
    if (k->ask->ns[0])
        return str_of(k->ask->ns);
    return k->host->config->namespace_ ? str_of(k->host->config->namespace_) : STR("default");
}

static int add_objects(struct lookup *k)
{
    struct wanted w = { .key = str_of(k->ask->type), .federated = k->ask->kind == COMPLETE_FEDERATED_NAMES };
    int r = find_config(k, &w);
    if (!w.plural && !k->host->cli->interrupted)
        r = discover_type(k, &w);
    if (r >= 0) {
        struct kube_resource res = { str_of(w.group), str_of(w.version), str_of(w.plural), w.namespaced };
        r = list_names(k, &res, w.namespaced ? namespace_of(k) : STR_NULL);
    }
    wanted_done(&w);
    return r;
}

/* --- all --- */

static int ask_host(struct lookup *k)
{
    struct str ns = str_of(k->host->cli->common.ns);
    switch (k->ask->kind) {
    case COMPLETE_NAMESPACES: return list_names(k, &res_namespaces, STR_NULL);
    case COMPLETE_CLUSTERS: return remote_list(k->host, &res_kubefed_clusters, ns, PAGE, add_cluster, k, NULL);
    case COMPLETE_PREFERENCES: return list_names(k, &res_preferences, namespace_of(k));
    case COMPLETE_NEW_TYPES: return complete_new_types(k->host, k->list);
    case COMPLETE_TYPE_CONFIGS:
    case COMPLETE_TARGET_TYPES:
    case COMPLETE_FEDERATED_TYPES: return remote_list(k->host, &res_type_configs, ns, PAGE, add_type, k, NULL);
    case COMPLETE_TARGET_NAMES:
    case COMPLETE_FEDERATED_NAMES: return add_objects(k);
    default: return -ENOENT;
    }
}

int complete_ask_cluster(const struct complete_ask *ask, struct complete_list *l)
{
    _cleanup_free_ char *kubeconfig = complete_kubeconfig(ask);
    struct cli cli;
    struct loop *loop = NULL;
    struct loop_timer deadline = { 0 };
    struct lookup k = { .ask = ask, .list = l };

    cli_init(&cli, "kubefedctl");
    cli.common = (struct common_options){ .kubeconfig = kubeconfig,
                                          .host_context = ask->host_context,
                                          .ns = ask->kubefed_ns[0] ? ask->kubefed_ns : FED_DEFAULT_NAMESPACE };
    int r = cli_loop(&cli, &loop, NULL);
    if (r == 0)
        r = remote_host(&cli, &k.host, NULL);
    if (r == 0) {
        loop_timer_start(loop, &deadline, COMPLETE_DEADLINE_MS, on_deadline, &cli);
        r = ask_host(&k);
        loop_timer_stop(&deadline);
    }
    if (cli.interrupted)
        r = -ETIMEDOUT;
    remote_free(k.host);
    cli_done(&cli);
    return r;
}
