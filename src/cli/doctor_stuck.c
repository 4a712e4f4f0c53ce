/* What does not go away: deletions that wait, and Secrets that no cluster uses. */
#include <stdlib.h>

#include "base/rtime.h"
#include "cli/doctor.h"
#include "cli/object_state.h"
#include "fed/names.h"

#define SUBJECT "Leftovers"
#define STUCK_S 300
#define MOST_NAMES 5

struct stuck {
    struct doctor *d;
    const char *kind;
    size_t n;
    struct buf names; /* of the first few, with what they wait for */
};

static int note_stuck(void *arg, yyjson_val *item)
{
    struct stuck *s = arg;
    int64_t since;
    char age[24];
    if (time_parse_rfc3339(json_path_str(item, "metadata.deletionTimestamp"), &since) < 0 ||
        s->d->now - since < STUCK_S)
        return 0;
    if (s->n++ >= MOST_NAMES)
        return 0;
    _cleanup_object_state_ struct object_state state = { 0 };
    _cleanup_free_ char *name = qualified_name(json_path_str(item, "metadata.namespace"),
                                               json_path_str(item, "metadata.name"));
    object_state_of(item, true, &state);
    age_format(s->d->now - since, age);
    buf_printf(&s->names, "%s%s (for %s%s%s)", s->names.n ? ", " : "", name, age, state.why[0] ? ", " : "", state.why);
    return 0;
}

static int check_type(struct doctor *d, const struct kube_resource *res, const char *kind, struct str ns,
                      const char *advice, struct error **err)
{
    struct stuck s = { .d = d, .kind = kind, .names = BUF_INIT(1 << 20) };
    _cleanup_error_ struct error *e = NULL;
    int r = remote_list(d->host, res, ns, 500, note_stuck, &s, &e);
    if (r < 0 && !is_not_found(e))
        r = doctor_unreadable(d, SUBJECT, kind, &e, err);
    else
        r = 0;
    if (r == 0 && s.n)
        doctor_addf(d, SUBJECT, kind, DOCTOR_FAILURE, advice,
                    "%zu %s being deleted for more than 5 minutes: %" PRIstr "%s", s.n, s.n == 1 ? "is" : "are",
                    STRARG(buf_str(&s.names)), s.n > MOST_NAMES ? ", ..." : "");
    buf_done(&s.names);
    return r;
}

static int check_objects(struct doctor *d, struct error **err)
{
    for (size_t i = 0; i < d->n_types; i++) {
        const struct fed_api_resource *f = &d->types[i]->federated;
        struct kube_resource res = { str_of(f->group), str_of(f->version), str_of(f->plural), f->namespaced };
        struct str ns = d->config && d->config->namespaced ? d->ns : STR_NULL;
        int r = check_type(
            d, &res, f->kind, f->namespaced ? ns : STR_NULL,
            "They wait for the clusters named here. Bring these back; or leave them behind: kubectl annotate the object " FED_ORPHAN_UNREACHABLE_ANNOTATION
            "=0s; or unjoin what is gone for good. Without a running controller "
            "manager nothing is removed at all.",
            err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* "<cluster>-xxxxx" with nothing but a token: what join makes. */
static bool is_of_join(yyjson_val *secret, struct str *ret_cluster)
{
    yyjson_val *data = json_get(secret, "data");
    struct str name = json_path_str(secret, "metadata.name"), suffix;
    return str_eqc(json_path_str(secret, "type"), "Opaque") && yyjson_obj_size(data) == 1 &&
           json_get(data, FED_TOKEN_KEY) && str_rcut(name, '-', ret_cluster, &suffix) && suffix.n == 5;
}

static int note_secret(void *arg, yyjson_val *secret)
{
    struct stuck *s = arg;
    struct str name = json_path_str(secret, "metadata.name"), cluster;
    if (!is_of_join(secret, &cluster))
        return 0;
    for (size_t i = 0; i < s->d->n_clusters; i++)
        if (s->d->clusters[i].spec && str_eqc(name, s->d->clusters[i].spec->secret_name))
            return 0;
    if (s->n++ < MOST_NAMES)
        buf_printf(&s->names, "%s%" PRIstr, s->names.n ? ", " : "", STRARG(name));
    return 0;
}

static int check_secrets(struct doctor *d, struct error **err)
{
    struct stuck s = { .d = d, .names = BUF_INIT(1 << 20) };
    _cleanup_error_ struct error *e = NULL;
    int r = 0;
    if (remote_list(d->host, &res_secrets, d->ns, 500, note_secret, &s, &e) < 0)
        r = e->code == -ECANCELED ? error_move(err, &e, "%s", "") : 0; /* the right to list them is rare */
    else if (s.n)
        doctor_addf(d, SUBJECT, "Secrets", DOCTOR_WARNING,
                    "Delete them if nothing else uses them: they hold tokens of members.",
                    "%zu that look like join's and belong to no cluster: %" PRIstr "%s", s.n, STRARG(buf_str(&s.names)),
                    s.n > MOST_NAMES ? ", ..." : "");
    buf_done(&s.names);
    return r;
}

int doctor_stuck(struct doctor *d, struct error **err)
{
    size_t before = d->n_findings;
    cli_progress(d->cli, "Looking for what does not go away");
    int r = check_objects(d, err);
    if (r == 0)
        r = check_type(d, &res_type_configs, "FederatedTypeConfig", d->ns,
                       "They wait until their controllers are stopped: is the controller manager running?", err);
    if (r == 0 && !(d->config && d->config->namespaced))
        r = check_type(
            d, &res_namespaces, "Namespace", STR_NULL,
            "kubectl get namespace -o yaml says in its conditions what is left in it; federated objects wait for their "
            "clusters.",
            err);
    if (r == 0)
        r = check_secrets(d, err);
    if (r == 0 && d->n_findings == before)
        doctor_add(d, SUBJECT, "deletions", DOCTOR_OK, "nothing waits, nothing is left over", NULL);
    return r;
}
