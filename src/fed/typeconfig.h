/* FederatedTypeConfig: which target type is propagated through which federated type (api-and-cli.md 1.5). */
#ifndef FED_TYPECONFIG_H
#define FED_TYPECONFIG_H

#include "json/json.h"

struct fed_api_resource {
    char *group; /* "" for the core group; never NULL in a decoded FTC, as are the others */
    char *version, *kind, *plural;
    bool namespaced;
};

struct fed_type_config {
    char *name;
    struct fed_api_resource target;
    struct fed_api_resource federated; /* .namespaced follows the target, not the field; see fed_type_is_namespace */
    struct fed_api_resource status;    /* all NULL unless has_status_type */
    bool has_status_type;
    bool propagation_enabled;
    bool status_collection; /* statusCollection: Enabled */
    int64_t
        created; /* metadata.creationTimestamp in seconds since the epoch; INT64_MAX: there is none that can be read */
    char *replicas_path; /* of the scale sub-resource, as "spec.size"; NULL: "spec.replicas". Not part of an FTC */
    /* How many there are, as "status.size", of a custom type that does not say how many are ready; or NULL. Neither is this. */
    char *status_replicas_path;
};

/* Decodes an FTC object with the defaults of controllers.md 3, as far as it can be run: of the rules of api-and-cli.md 4.4 those
 * for the target type, and for group, version, kind and plural of the federated type. A statusType against the rules is as none.
 * The kind Namespace of the core group is the target of the FTC `namespaces` alone, with the plural `namespaces` and the scope
 * Cluster, which the webhook does not ask for. *ret is owned. -EINVAL: the message lists all violations, as "<path>: <violation>", in brackets
 * when several. */
int fed_type_config_decode(yyjson_val *ftc, struct fed_type_config **ret, struct error **err);
/* What an FTC is for that cannot be used: its place among rivals stays taken while somebody corrects it. Of the result only name, groups
 * and plurals of the target and of the federated type, `created` and the modes mean something, and nothing was checked. Owned, or NULL:
 * that cannot be read, or it is about namespaces under another name than `namespaces`. */
struct fed_type_config *fed_type_config_claim(yyjson_val *ftc);
/* All rules, after the same defaults: what the control plane runs, a webhook may still refuse. The same errors. */
int fed_type_config_check(yyjson_val *ftc, struct error **err);
/* The same rules without defaults and without result, for admission.h (A-24: what a default would fill in is missing). -EBADMSG
 * when a field cannot be read. */
int fed_type_config_validate(yyjson_val *ftc, struct error **err);
struct fed_type_config *fed_type_config_copy(const struct fed_type_config *c);
void fed_type_config_free(struct fed_type_config *c); /* NULL is fine */
DEFINE_CLEANUP(struct fed_type_config *, fed_type_config_free)

/* Types of Kubernetes itself with a scale sub-resource. Of custom resources only their definition tells. */
bool fed_type_is_scalable(const struct fed_type_config *c);
/* A custom resource: its group is not one of Kubernetes itself. */
bool fed_type_is_custom(const struct fed_type_config *c);
/* From a CustomResourceDefinition of the target type: the dotted path of the replica count of the version that is federated
 * (spec.versions[].subresources.scale.specReplicasPath), without its leading dot. Owned; NULL: it has no scale sub-resource,
 * or a path that cannot be one. */
char *fed_type_replicas_path(const struct fed_type_config *c, yyjson_val *crd);
/* The same of the number that there is (statusReplicasPath). NULL also when the schema of that version has
 * status.readyReplicas: where objects leave that out, none is ready. */
char *fed_type_status_replicas_path(const struct fed_type_config *c, yyjson_val *crd);

/* Two FTCs for objects of the same URLs (group and plural), both to be propagated. Of the target: each would undo what the other does in
 * members. Of the federated type: they would fight for the status, and an object would be let go when one of them has removed what is
 * its own. One runs. */
bool fed_type_config_rivals(const struct fed_type_config *a, const struct fed_type_config *b);
/* The same one before and after a change: whoever was its rival still is, and nobody else, and the order is the same. */
bool fed_type_config_same_claim(const struct fed_type_config *a, const struct fed_type_config *b);
/* What two rivals are both for: "deployments.apps" or "federateddeployments.types.kubefed.io". Owned. */
char *fed_type_config_contested(const struct fed_type_config *a, const struct fed_type_config *b);
/* Of two rivals with different names, does `a` run? That for namespaces, without which nothing namespaced is placed; else the older one: a new
 * one must not take over what another has labelled in members, since that would be let go. Of the same age the one with the name that
 * the webhook wants; then the first by name. */
bool fed_type_config_goes_first(const struct fed_type_config *a, const struct fed_type_config *b);
/* true when a controller that runs for one would run the same way for the other. */
bool fed_type_config_equal(const struct fed_type_config *a, const struct fed_type_config *b);
/* The target is Namespace. Its FTC is named "namespaces", and the federated type is namespaced though the target is not (controllers.md 3,
 * api-and-cli.md 1.9.4). */
bool fed_type_is_namespace(const struct fed_type_config *c);

/* Appends the merge patch of the FTC's status sub-resource when `ftc` does not show it yet; returns whether it did.
 * observedGeneration, propagationController, statusController are always all present (controllers.md 3 step 8). */
bool fed_type_config_status_patch(struct buf *out, yyjson_val *ftc, int64_t generation, bool sync_running,
                                  bool status_running);

#endif
