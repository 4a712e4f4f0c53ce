/*
 * Candidates of enable: the API types that the host cluster serves. All groups are read at the same time: one after the
 * other, as discovery does it, takes longer than a person waits when the cluster is far away.
 */
#include <stdlib.h>

#include "cli/complete.h"
#include "fed/names.h"

#define MAX_VERSIONS 512
#define PAGE 500u

/* One version of one group. */
struct part {
    struct census *census;
    struct kube_call *call; /* NULL: over */
    char *group;            /* owned */
};

struct census {
    struct complete_list *list;
    struct remote *host;
    struct part *parts[MAX_VERSIONS]; /* owned */
    size_t n_parts, waiting;
    bool done;
    char **federated; /* "plural.group" of all federated types; owned, as are the strings */
    size_t n_federated, cap_federated;
};

static int note_federated(void *arg, yyjson_val *ftc)
{
    struct census *c = arg;
    yyjson_val *type = json_path(ftc, "spec.federatedType");
    MEM_GROW(c->federated, c->cap_federated, c->n_federated);
    c->federated[c->n_federated++] = mem_printf("%" PRIstr ".%" PRIstr, STRARG(json_path_str(type, "pluralName")),
                                                STRARG(json_path_str(type, "group")));
    return 0;
}

static bool is_federated(const struct census *c, const char *full)
{
    for (size_t i = 0; i < c->n_federated; i++)
        if (strcmp(c->federated[i], full) == 0)
            return true;
    return false;
}

/* A type can be federated when its objects can be listed, watched and created. */
static bool has_verbs(yyjson_val *item)
{
    static const char *const needed[] = { "create", "list", "watch" };
    size_t found = 0, i, n;
    yyjson_val *verb;
    yyjson_arr_foreach(json_get(item, "verbs"), i, n, verb)
    {
        for (size_t k = 0; k < ARRAY_SIZE(needed); k++)
            found += str_eqc(json_str(verb), needed[k]);
    }
    return found == ARRAY_SIZE(needed);
}

static void add_resources(const struct census *c, const char *group, struct str answer)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    yyjson_val *item;
    size_t i, n;
    if (json_parse(answer, &doc, NULL) < 0)
        return;
    yyjson_arr_foreach(json_get(yyjson_doc_get_root(doc), "resources"), i, n, item)
    {
        struct str plural = json_path_str(item, "name");
        _cleanup_free_ char *full = mem_printf("%" PRIstr ".%s", STRARG(plural), group);
        _cleanup_free_ char *kind = str_dup(json_path_str(item, "kind"));
        if (!str_contains(plural, STR("/")) && has_verbs(item) && !is_federated(c, full))
            complete_add_name(c->list, group[0] ? str_of(full) : plural, kind);
    }
}

static void on_part(void *arg, const struct kube_response *resp, const struct error *err)
{
    struct part *p = arg;
    p->call = NULL;
    if (!err && resp)
        add_resources(p->census, p->group, resp->body);
    p->census->done = --p->census->waiting == 0;
}

static void ask_part(struct census *c, struct str group, struct str version)
{
    _cleanup_buf_ struct buf path = BUF_INIT(BUF_MAX_DEFAULT);
    if (c->n_parts >= MAX_VERSIONS || str_empty(version))
        return;
    buf_addz(&path, str_empty(group) ? "/api/" : "/apis/");
    if (!str_empty(group)) {
        buf_add_urlencoded(&path, group);
        buf_addc(&path, '/');
    }
    buf_add_urlencoded(&path, version);
    struct part *p = mem_zalloc(sizeof(*p));
    *p = (struct part){ .census = c, .group = str_dup(group) };
    c->parts[c->n_parts++] = p;
    c->waiting++;
    struct kube_request req = { .method = "GET", .path = buf_str(&path), .timeout_ms = COMPLETE_DEADLINE_MS };
    p->call = kube_call(c->host->client, &req, on_part, p);
}

static int ask_parts(struct census *c)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    yyjson_val *group, *version;
    size_t i, n, k, m;
    int r = remote_get_raw(c->host, "/apis", &doc, NULL);
    if (r < 0)
        return r;
    ask_part(c, STR(""), STR("v1"));
    yyjson_arr_foreach(json_get(yyjson_doc_get_root(doc), "groups"), i, n, group)
    {
        struct str name = json_path_str(group, "name");
        if (str_empty(name) || str_eqc(name, FED_TYPES_GROUP))
            continue;
        yyjson_arr_foreach(json_get(group, "versions"), k, m, version)
        {
            ask_part(c, name, json_path_str(version, "version"));
        }
    }
    return 0;
}

static void census_done(struct census *c)
{
    for (size_t i = 0; i < c->n_parts; i++) {
        if (c->parts[i]->call)
            kube_call_cancel(c->parts[i]->call);
        free(c->parts[i]->group);
        free(c->parts[i]);
    }
    for (size_t i = 0; i < c->n_federated; i++)
        free(c->federated[i]);
    free(c->federated);
}

int complete_new_types(struct remote *host, struct complete_list *l)
{
    struct census c = { .list = l, .host = host };
    struct cli *cli = host->cli;
    int r = remote_list(host, &res_type_configs, str_of(cli->common.ns), PAGE, note_federated, &c, NULL);
    if (!cli->interrupted) /* without the types of KubeFed, nothing is federated yet */
        r = ask_parts(&c);
    if (r == 0)
        loop_run(kube_client_loop(host->client), &c.done);
    census_done(&c);
    return r;
}
