/* Identity of objects and their versions. For src/kube only; the object itself is in kube/informer.h. */
#ifndef KUBE_OBJECT_H
#define KUBE_OBJECT_H

#include "json/json.h"

/* Borrowed from the live object. */
struct kube_object_id {
    struct str name, ns, uid, rv;
};
/* -EINVAL when there is no name, or something is too long to be kept. */
int kube_object_identify(yyjson_val *live, struct kube_object_id *ret, struct error **err);

/* Compares resourceVersions as the integers that they are: *ret <0, 0, >0. -EINVAL when one is none. */
int kube_rv_compare(struct str a, struct str b, int *ret);

#endif
