/* URL paths of API resources. Pure; every part is percent-encoded, so that no name can leave its segment. */
#include "kube/path.h"

/* No part of a path is longer than a URL may be; the bound only keeps a mistake from growing. */
#define PATH_MAX_BYTES ((size_t)64 << 10)

static void add_segment(struct buf *b, struct str s)
{
    buf_addc(b, '/');
    /* "." and ".." are unreserved characters, but as a whole segment they would climb. */
    if (str_eqc(s, "."))
        buf_addz(b, "%2E");
    else if (str_eqc(s, ".."))
        buf_addz(b, "%2E%2E");
    else
        buf_add_urlencoded(b, s);
}

char *kube_path(const struct kube_resource *r, struct str ns, struct str name, struct str sub)
{
    struct buf b = BUF_INIT(PATH_MAX_BYTES);

    buf_addz(&b, str_empty(r->group) ? "/api" : "/apis");
    if (!str_empty(r->group))
        add_segment(&b, r->group);
    add_segment(&b, r->version);
    if (r->namespaced && !str_empty(ns)) {
        buf_addz(&b, "/namespaces");
        add_segment(&b, ns);
    }
    add_segment(&b, r->plural);
    if (!str_empty(name))
        add_segment(&b, name);
    if (!str_empty(sub))
        add_segment(&b, sub);
    return buf_take(&b, NULL);
}
