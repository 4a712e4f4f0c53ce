/* The objects that make a target type federated: FederatedTypeConfig and the federated CRD (api-and-cli.md 1.9, 9.3). */
#ifndef FED_ENABLE_H
#define FED_ENABLE_H

#include "json/json.h"

struct fed_enable_input {
    struct str group; /* of the target; empty: core */
    struct str version, kind, plural;
    bool namespaced;
    const struct str *short_names; /* of the target */
    size_t n_short_names;
    struct str federated_group, federated_version; /* empty: types.kubefed.io, v1beta1 */
    bool retain_replicas;                          /* fed_schema_has_replicas of the target's schema */
};

/* The FTC without namespace and status; keys in the order of api-and-cli.md 9.3. Owned. */
yyjson_mut_doc *fed_enable_type_config(const struct fed_enable_input *in);
/* The CRD: schema exactly api-and-cli.md 1.9.1, always with spec.template. Owned. */
yyjson_mut_doc *fed_enable_crd(const struct fed_enable_input *in);
/* Marks the CRDs that enable created; "true". */
#define FED_ENABLED_LABEL "kubefed.io/created-by-enable"
/* May enable replace this existing CRD of that name? NULL: yes, it has the mark, or it has kind and schema of a federated type, as
 * those of KubeFed have. Otherwise why not; a constant. */
const char *fed_enable_crd_mismatch(const struct fed_enable_input *in, yyjson_val *crd);
/* "federated<plural>.<federated group>". Owned. */
char *fed_enable_crd_name(const struct fed_enable_input *in);
/* Federated scope: that of the target, but Namespaced for the FTC "namespaces" (1.9.3 step 6). */
bool fed_enable_federated_namespaced(const struct fed_enable_input *in);

/* `properties` is the properties object of a type's OpenAPI schema, or NULL: properties.spec.properties.replicas is of type
 * integer and format int32. References ($ref) below it are looked up in `definitions` (OpenAPI v2), or NULL. */
bool fed_schema_has_replicas(yyjson_val *properties, yyjson_val *definitions);

/* Two types with the same plural that Kubernetes stores in one place (table in 1.9.3, with A-37). Group/version pairs are
 * given as "apps/v1"; equal pairs are not equivalent. */
bool fed_types_equivalent(struct str plural, struct str api_version_a, struct str api_version_b);

/* EnableTypeDirective (1.10). Strings are owned; defaults filled in; -EINVAL when metadata.name is missing. */
struct fed_enable_directive {
    char *name, *target_version, *federated_group, *federated_version; /* target_version may be "" */
};
int fed_enable_directive_decode(yyjson_val *v, struct fed_enable_directive *ret, struct error **err);
void fed_enable_directive_done(struct fed_enable_directive *d);

#endif
