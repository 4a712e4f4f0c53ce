/* What resources an API server serves, and finding one by the name a person typed (api-and-cli.md 1.9.3). */
#ifndef KUBE_DISCOVERY_H
#define KUBE_DISCOVERY_H

#include "kube/client.h"

struct kube_api_resource {
    char *group, *version, *plural, *singular, *kind;
    char **short_names; /* NULL-terminated, never NULL */
    char **verbs;
    bool namespaced;
    bool preferred; /* version is the group's preferred one */
};
struct kube_discovery {
    struct kube_api_resource *v; /* all versions, group order of the server, core first; sub-resources left out */
    size_t n;
    char *partial_error; /* groups that could not be read, or NULL */
};
/* Sequential (see kube_do). Failing groups are retried once, then noted in partial_error. */
int kube_discovery_fetch(struct kube_client *c, struct kube_discovery *ret, struct error **err);
void kube_discovery_done(struct kube_discovery *d);
#define _cleanup_discovery_ _cleanup_(kube_discovery_done)

/* Step 1 to 4 of 1.9.3 (A-07: a version given may be any served one; A-14: an empty key is an error), plus
 * <singular>.<group> and <plural>.<version>.<group> as kubectl accepts them. Borrowed result. Errors: texts of 1.9.3. */
int kube_discovery_find(const struct kube_discovery *d, struct str key, struct str version,
                        const struct kube_api_resource **ret, struct error **err);

#endif
