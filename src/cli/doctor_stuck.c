/* What does not go away: deletions that wait, and Secrets that no cluster uses. */
#include <stdlib.h>

#include "base/rtime.h"
#include "cli/doctor.h"
#include "cli/object_state.h"
#include "cli/table.h"
#include "fed/names.h"

#define SUBJECT "Leftovers"
#define STUCK_S 300
#define MOST_NAMES 5
#define MOST_CAUSE 300

/* Objects of one kind that are being deleted for too long. */
struct stuck {
    struct doctor *d;
    size_t n;
    struct buf names;       /* of the first few, with what they wait for */
    char *first, *first_ns; /* NULL: none */
};

static void stuck_done(struct stuck *s)
{
    buf_done(&s->names);
    free(s->first);
    free(s->first_ns);
}

/* Conditions of a namespace say what is left in it. */
static void add_remaining(struct buf *out, yyjson_val *item)
{
    static const char *const conditions[] = { "NamespaceContentRemaining", "NamespaceFinalizersRemaining",
                                              "NamespaceDeletionContentFailure" };
    for (size_t i = 0; i < ARRAY_SIZE(conditions); i++) {
        yyjson_val *c = condition_of(item, conditions[i]);
        struct str message = json_path_str(c, "message");
        if (!str_eqc(json_path_str(c, "status"), "True") || str_empty(message))
            continue;
        buf_addz(out, ", ");
        add_printable(out, message, MOST_CAUSE);
    }
}

static int note_stuck(void *arg, yyjson_val *item)
{
    struct stuck *s = arg;
    struct str ns = json_path_str(item, "metadata.namespace"), name = json_path_str(item, "metadata.name");
    int64_t since;
    char age[24];
    if (time_parse_rfc3339(json_path_str(item, "metadata.deletionTimestamp"), &since) < 0 ||
        s->d->now - since < STUCK_S || s->n++ >= MOST_NAMES)
        return 0;
    if (!s->first) {
        s->first = str_dup(name);
        s->first_ns = str_dup(ns);
    }
    _cleanup_object_state_ struct object_state state = { 0 };
    _cleanup_free_ char *shown = qualified_name(ns, name);
    object_state_of(item, true, &state);
    age_format(s->d->now - since, age);
    buf_printf(&s->names, "%s%s (for %s%s%s", s->names.n ? ", " : "", shown, age, state.why[0] ? ", " : "", state.why);
    add_remaining(&s->names, item);
    buf_addc(&s->names, ')');
    return 0;
}

/* *s is to be released with stuck_done. */
static int find_stuck(struct doctor *d, const struct kube_resource *res, const char *kind, struct str ns,
                      struct stuck *s, struct error **err)
{
    _cleanup_error_ struct error *e = NULL;
    *s = (struct stuck){ .d = d, .names = BUF_INIT(1 << 20) };
    if (remote_list(d->host, res, ns, 500, note_stuck, s, &e) == 0 || is_not_found(e))
        return 0;
    return doctor_unreadable(d, SUBJECT, kind, &e, err);
}

static void tell_stuck(const struct stuck *s, const char *kind, const char *advice)
{
    doctor_addf(s->d, SUBJECT, kind, DOCTOR_FAILURE, advice,
                "%zu %s being deleted for more than 5 minutes: %" PRIstr "%s", s->n, s->n == 1 ? "is" : "are",
                STRARG(buf_str(&s->names)), s->n > MOST_NAMES ? ", ..." : "");
}

static int check_type(struct doctor *d, const struct fed_api_resource *f, struct error **err)
{
    struct kube_resource res = { str_of(f->group), str_of(f->version), str_of(f->plural), f->namespaced };
    bool limited = f->namespaced && d->config && d->config->namespaced;
    struct stuck s;
    int r = find_stuck(d, &res, f->kind, limited ? d->ns : STR_NULL, &s, err);
    if (r == 0 && s.n) {
        _cleanup_free_ char *type = res_name(&res);
        _cleanup_free_ char *advice = mem_printf(
            "They wait for the clusters named here, or for a controller manager. Bring these back, or unjoin what is "
            "gone for good, or leave it behind: kubectl annotate %s %s%s%s " FED_ORPHAN_UNREACHABLE_ANNOTATION "=0s",
            type, doctor_word(s.first), s.first_ns[0] ? " -n " : "", s.first_ns[0] ? doctor_word(s.first_ns) : "");
        tell_stuck(&s, f->kind, advice);
    }
    stuck_done(&s);
    return r;
}

static int check_type_configs(struct doctor *d, struct error **err)
{
    struct stuck s;
    int r = find_stuck(d, &res_type_configs, "FederatedTypeConfig", d->ns, &s, err);
    if (r == 0 && s.n)
        tell_stuck(&s, "FederatedTypeConfig",
                   "They wait until their controllers are stopped: is the controller manager running?");
    stuck_done(&s);
    return r;
}

static int check_namespaces(struct doctor *d, struct error **err)
{
    struct stuck s;
    int r = find_stuck(d, &res_namespaces, "Namespace", STR_NULL, &s, err);
    if (r == 0 && s.n) {
        _cleanup_free_ char *advice = mem_printf(
            "Federated objects in them wait for their clusters. Conditions say what is left: kubectl get namespace %s "
            "-o yaml",
            doctor_word(s.first));
        tell_stuck(&s, "Namespace", advice);
    }
    stuck_done(&s);
    return r;
}

/* --- Secrets --- */

/* Also of a KubeFedCluster that is invalid otherwise: its token is in use once that is mended. */
static bool is_used(const struct doctor *d, struct str secret)
{
    for (size_t i = 0; i < d->n_clusters; i++)
        if (str_eq(secret, json_path_str(yyjson_doc_get_root(d->clusters[i].kfc), "spec.secretRef.name")))
            return true;
    return false;
}

static int note_secret(void *arg, yyjson_val *secret)
{
    struct stuck *s = arg;
    struct str name = json_path_str(secret, "metadata.name");
    if (doctor_is_of_join(secret) && !is_used(s->d, name) && s->n++ < MOST_NAMES)
        buf_printf(&s->names, "%s%" PRIstr, s->names.n ? ", " : "", STRARG(name));
    return 0;
}

static int check_secrets(struct doctor *d, struct error **err)
{
    struct stuck s = { .d = d, .names = BUF_INIT(1 << 20) };
    _cleanup_error_ struct error *e = NULL;
    int r = 0;
    if (!d->knows_clusters)
        doctor_add(d, SUBJECT, "Secrets", DOCTOR_UNKNOWN, "which clusters use them is not known", NULL);
    else if (remote_list(d->host, &res_secrets, d->ns, 500, note_secret, &s, &e) < 0)
        r = doctor_unreadable(d, SUBJECT, "Secrets", &e, err);
    else if (s.n)
        doctor_addf(d, SUBJECT, "Secrets", DOCTOR_WARNING,
                    "Delete them if nothing else uses them: they hold tokens of members.",
                    "%zu that look like join's and belong to no cluster: %" PRIstr "%s", s.n, STRARG(buf_str(&s.names)),
                    s.n > MOST_NAMES ? ", ..." : "");
    stuck_done(&s);
    return r;
}

int doctor_stuck(struct doctor *d, struct error **err)
{
    size_t before = d->n_findings;
    int r = 0;
    cli_progress(d->cli, "Looking for what does not go away");
    for (size_t i = 0; r == 0 && i < d->n_types; i++)
        r = check_type(d, &d->types[i]->federated, err);
    if (r == 0 && !d->knows_types)
        doctor_add(d, SUBJECT, "deletions", DOCTOR_UNKNOWN, "which types there are is not known", NULL);
    if (r == 0)
        r = check_type_configs(d, err);
    if (r == 0 && !(d->config && d->config->namespaced))
        r = check_namespaces(d, err);
    if (r == 0)
        r = check_secrets(d, err);
    if (r == 0 && d->n_findings == before)
        doctor_add(d, SUBJECT, "deletions", DOCTOR_OK, "nothing waits, nothing is left over", NULL);
    return r;
}
