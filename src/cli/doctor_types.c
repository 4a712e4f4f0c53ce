/* FederatedTypeConfigs: valid, carried out, and of types that exist. */
#include <stdlib.h>

#include "cli/doctor.h"
#include "fed/names.h"

#define SUBJECT "Types"

struct reading {
    struct doctor *d;
    struct types served;
    bool namespaces;                     /* the type "namespaces" is there to stay */
    const struct fed_type_config **stay; /* those that are not being deleted: borrowed from d->types */
    size_t n_stay;
};

bool doctor_is_propagated(const struct doctor *d, const struct fed_type_config *c)
{
    return c->propagation_enabled && (c->target.namespaced || !(d->config && d->config->namespaced));
}

static bool is_deleted(yyjson_val *object)
{
    return !str_empty(json_path_str(object, "metadata.deletionTimestamp"));
}

static void check_running(struct doctor *d, const struct fed_type_config *c, yyjson_val *ftc)
{
    int64_t generation = json_path_i64(ftc, "metadata.generation", 0);
    bool running = str_eqc(json_path_str(ftc, "status.propagationController"), FED_RUNNING);
    bool behind = json_path_i64(ftc, "status.observedGeneration", 0) < generation;
    if (is_deleted(ftc))
        doctor_add(d, SUBJECT, c->name, DOCTOR_WARNING, "it is being deleted",
                   "It goes when the controller manager has stopped the controllers of the type.");
    else if (!c->propagation_enabled)
        doctor_addf(d, SUBJECT, c->name, DOCTOR_WARNING,
                    "To switch it on again: kubefedctl enable, or set spec.propagation to Enabled.",
                    "propagation is disabled: %s objects are not looked at", c->federated.kind);
    else if (!running || behind)
        doctor_add(d, SUBJECT, c->name, DOCTOR_FAILURE,
                   running ? "the controller manager has not seen its last change"
                           : "its sync controller is not running",
                   "The log of the controller manager says why; namespaced types want the type \"namespaces\".");
    else
        doctor_addf(d, SUBJECT, c->name, DOCTOR_OK, NULL, "%s is propagated", c->federated.kind);
}

static bool serves(const struct types *t, const struct fed_api_resource *r)
{
    for (size_t i = 0; i < t->found.n; i++) {
        const struct kube_api_resource *v = &t->found.v[i];
        if (strcmp(v->plural, r->plural) == 0 && strcmp(v->group, r->group) == 0 && strcmp(v->version, r->version) == 0)
            return true;
    }
    return false;
}

static void check_served(const struct reading *r, const struct fed_type_config *c)
{
    if (!r->served.read)
        return;
    if (!serves(&r->served, &c->federated))
        doctor_addf(r->d, SUBJECT, c->name, DOCTOR_FAILURE,
                    "Create the definition again: kubefedctl enable with the same arguments.",
                    "the host does not serve %s.%s/%s", c->federated.plural, c->federated.group, c->federated.version);
    if (!serves(&r->served, &c->target))
        doctor_addf(r->d, SUBJECT, c->name, DOCTOR_WARNING,
                    "Enable it in a version that is served (kubefedctl enable --version), or disable the type.",
                    "the host does not serve %s%s%s/%s; members may", c->target.plural, c->target.group[0] ? "." : "",
                    c->target.group, c->target.version);
}

static int check_config(void *arg, yyjson_val *ftc)
{
    struct reading *r = arg;
    struct doctor *d = r->d;
    struct fed_type_config *c = NULL;
    _cleanup_error_ struct error *e = NULL;
    _cleanup_free_ char *name = str_dup(json_path_str(ftc, "metadata.name"));
    r->namespaces |= strcmp(name, FED_NAMESPACES_FTC) == 0 && !is_deleted(ftc);
    if (fed_type_config_decode(ftc, &c, &e) < 0) {
        _cleanup_free_ char *advice = mem_printf(
            "Correct these fields: kubectl edit federatedtypeconfig {name} -n %" PRIstr, STRARG(d->ns));
        doctor_addf(d, SUBJECT, name, DOCTOR_FAILURE, advice, "it is invalid: %s", error_msg(e));
        return 0;
    }
    if (fed_type_config_check(ftc, &e) < 0)
        doctor_addf(d, SUBJECT, name, DOCTOR_WARNING,
                    "Correct it: the webhook refuses any other change of it until then.", "against the rules: %s",
                    error_msg(e));
    if (d->config && d->config->namespaced && !c->target.namespaced) {
        doctor_add(d, SUBJECT, c->name, DOCTOR_OK, "not propagated: the scope is Namespaced, and the type is not",
                   NULL);
    } else {
        check_running(d, c, ftc);
        check_served(r, c);
    }
    d->types = mem_realloc(d->types, (d->n_types + 1) * sizeof(struct fed_type_config *));
    d->types[d->n_types++] = c;
    if (!is_deleted(ftc)) {
        r->stay = mem_realloc(r->stay, (r->n_stay + 1) * sizeof(*r->stay));
        r->stay[r->n_stay++] = c;
    }
    return 0;
}

static void tell_rivals(struct doctor *d, const struct fed_type_config *first, const struct fed_type_config *waits)
{
    _cleanup_free_ char *contested = fed_type_config_contested(waits, first);
    bool target = strcmp(waits->target.plural, first->target.plural) == 0 &&
                  strcmp(waits->target.group, first->target.group) == 0;
    doctor_addf(
        d, SUBJECT, waits->name, DOCTOR_FAILURE,
        target
            ? "Disable or delete one of them: kubefedctl disable."
            : "Disable one of them, or enable it anew with a --federated-group of its own. What it left in members stays.",
        "\"%s\" is for %s, too, and goes first; only one of them is propagated", first->name, contested);
}

/* What the controller manager decides (typeconfigs_rivals.h). */
static void check_rivals(const struct reading *r)
{
    for (size_t i = 0; i < r->n_stay; i++)
        for (size_t k = i + 1; k < r->n_stay; k++) {
            const struct fed_type_config *a = r->stay[i], *b = r->stay[k];
            if (!fed_type_config_rivals(a, b))
                continue;
            bool first = fed_type_config_goes_first(a, b);
            tell_rivals(r->d, first ? a : b, first ? b : a);
        }
}

static void check_all(const struct reading *r)
{
    struct doctor *d = r->d;
    bool namespaced = false;
    for (size_t i = 0; i < d->n_types; i++) {
        const struct fed_type_config *a = d->types[i];
        namespaced |= a->target.namespaced && a->propagation_enabled;
    }
    check_rivals(r);
    if (namespaced && !r->namespaces)
        doctor_add(d, SUBJECT, FED_NAMESPACES_FTC, DOCTOR_FAILURE,
                   "the type \"namespaces\" is not enabled, and no namespaced type is propagated without it",
                   "kubefedctl enable namespaces");
    if (!d->n_types)
        doctor_add(d, SUBJECT, "any", DOCTOR_WARNING, "no type is enabled",
                   "kubefedctl enable namespaces, then the types to propagate");
}

int doctor_types(struct doctor *d, struct error **err)
{
    struct reading r = { .d = d };
    _cleanup_error_ struct error *e = NULL;
    int k = types_read(d->host, &r.served, &e);
    if (k < 0)
        k = doctor_unreadable(d, SUBJECT, "discovery", &e, err);
    if (k == 0) {
        d->knows_types = remote_list(d->host, &res_type_configs, d->ns, 500, check_config, &r, &e) == 0;
        if (d->knows_types)
            check_all(&r);
        else
            k = doctor_unreadable(d, SUBJECT, "FederatedTypeConfigs", &e, err);
    }
    types_done(&r.served);
    free(r.stay);
    return k;
}
