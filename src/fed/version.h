/* Version tracking: what was written where, so that nothing is written twice (controllers.md 5.9). */
#ifndef FED_VERSION_H
#define FED_VERSION_H

#include "fed/typeconfig.h"

#define FED_HASH_LEN 32

/* Lower-case hex MD5 over the canonical form; "" when there is nothing to hash (no template; no spec). overrides: -EINVAL
 * when spec.overrides has a shape that cannot be hashed (out is then ""). */
void fed_template_hash(yyjson_val *fed_object, char out[static FED_HASH_LEN + 1]);
int fed_overrides_hash(yyjson_val *fed_object, char out[static FED_HASH_LEN + 1]);

/* Owned name of the version record of a federated object. */
char *fed_version_name(const struct fed_type_config *type, struct str name);
/* The record is a PropagatedVersion (true) or a ClusterPropagatedVersion. */
bool fed_version_is_namespaced(const struct fed_type_config *type);

struct fed_cluster_version {
    struct str cluster, version;
};

/* A decoded record. Borrows its strings from the document. */
struct fed_versions;
/* From the status of a (Cluster)PropagatedVersion; entries of the wrong shape are ignored. Never NULL for an object; NULL
 * when `status` is none. */
struct fed_versions *fed_versions_decode(yyjson_val *status);
void fed_versions_free(struct fed_versions *v); /* NULL is fine */
DEFINE_CLEANUP(struct fed_versions *, fed_versions_free)
/* The record was made for this template and these overrides. */
bool fed_versions_match(const struct fed_versions *v, struct str template_hash, struct str overrides_hash);
/* Recorded version of a cluster, or STR_NULL. v may be NULL. Does not look at the hashes. */
struct str fed_versions_get(const struct fed_versions *v, struct str cluster);
/* Same hashes and same entries; absent and empty lists are the same. NULL equals only NULL. */
bool fed_versions_equal(const struct fed_versions *a, const struct fed_versions *b);

/* Appends the status as compact JSON: sorted by cluster whatever the order of `list`, clusterVersions left out when empty.
 * 0 or -EFBIG. */
int fed_versions_encode(struct buf *out, struct str template_hash, struct str overrides_hash,
                        const struct fed_cluster_version *list, size_t n);
/* The same after a run: clusters[i] with written[i].n are new; where it is empty the entry of `before` stays when selected[i]
 * and the hashes match. 0 or -EFBIG. */
int fed_versions_after_run(struct buf *out, const struct fed_versions *before, struct str template_hash,
                           struct str overrides_hash, const struct fed_cluster_version *written, const bool *selected,
                           size_t n);

#endif
