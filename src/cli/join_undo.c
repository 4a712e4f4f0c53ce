/* Taking back what a join created that cannot work, and waiting for one that does. */
#include <stdlib.h>

#include "base/rtime.h"
#include "cli/join.h"
#include "cli/object_state.h"
#include "fed/names.h"

#define READY_POLL_MS 500u

void join_note_made(struct join *j, struct remote *in, const struct kube_resource *res, const char *kind,
                    struct str name)
{
    struct join_made *m = mem_zalloc(sizeof(*m));
    *m = (struct join_made){ j->made, in, res, kind, str_dup(name) };
    j->made = m;
}

static int note_stranger(void *arg, yyjson_val *item)
{
    const struct join *j = arg;
    struct str name = json_path_str(item, "metadata.name");
    return !str_eqc(name, "default") && !str_eqc(name, j->names.account);
}

/* Somebody else has moved into the namespace meanwhile, another control plane maybe: it stays. */
static bool is_used(struct join *j, const struct join_made *m)
{
    _cleanup_error_ struct error *e = NULL;
    return m->resource == &res_namespaces &&
           remote_list(m->in, &res_service_accounts, j->ns, 500, note_stranger, j, &e) != 0;
}

void join_undo(struct join *j)
{
    for (struct join_made *m; (m = j->made);) {
        _cleanup_error_ struct error *e = NULL;
        struct str ns = m->resource->namespaced ? j->ns : STR_NULL;
        const char *where = m->in == j->host ? "the host cluster" : "the joining cluster";
        j->made = m->older;
        if (is_used(j, m))
            cli_did(j->cli, "%s \"%s\" is kept in %s: it is used by others", m->kind, m->name, where);
        else if (remote_delete(m->in, m->resource, ns, str_of(m->name), &e) == 0 || is_not_found(e))
            cli_did(j->cli, "%s \"%s\" removed again from %s", m->kind, m->name, where);
        else
            cli_did(j->cli, "%s \"%s\" could not be removed from %s: %s", m->kind, m->name, where, error_msg(e));
        free(m->name);
        free(m);
    }
}

static int read_ready(struct join *j, bool *ret, char **ret_why, struct error **err)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    int r = remote_get(j->host, &res_kubefed_clusters, j->ns, str_of(j->names.cluster), &doc, err);
    if (r < 0)
        return r;
    yyjson_val *root = yyjson_doc_get_root(doc), *first = yyjson_arr_get_first(json_path(root, "status.conditions"));
    *ret = str_eqc(json_path_str(condition_of(root, FED_CLUSTER_READY), "status"), "True");
    free(*ret_why);
    *ret_why = first ? str_dup(json_path_str(first, "message")) : NULL;
    return 0;
}

int join_wait_ready(struct join *j, struct error **err)
{
    uint64_t deadline = time_mono_ms() + (uint64_t)(j->options->wait_ns / NSEC_PER_MS);
    _cleanup_free_ char *why = NULL;
    bool ready = false;
    if (j->options->wait_ns <= 0 || j->cli->common.dry_run)
        return 0;
    cli_progress(j->cli, "Waiting until the control plane finds cluster \"%s\" ready", j->names.cluster);
    for (;;) {
        int r = read_ready(j, &ready, &why, err);
        if (r < 0 || ready)
            return r;
        if (time_mono_ms() >= deadline)
            break;
        r = cli_wait(j->cli, READY_POLL_MS, err);
        if (r < 0)
            return r;
    }
    if (!why)
        cli_hint(j->cli, "Is the controller manager running? %s doctor tells.", j->cli->name);
    return error_set(err, -ETIMEDOUT, "cluster \"%s\" is registered, but not ready yet: %s", j->names.cluster,
                     why ? why : "no controller manager has looked at it");
}
