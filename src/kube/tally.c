/* See tally.h. */
#include "kube/tally.h"

#include <stdlib.h>

#include "base/map.h"

#define HOSTS_MAX 4096u
#define REFLECTORS_MAX 1024u

struct kube_tally {
    unsigned refs;
    struct map hosts;      /* by host */
    struct map reflectors; /* by name */
};

struct kube_tally *kube_tally_new(void)
{
    struct kube_tally *t = mem_zalloc(sizeof(*t));

    t->refs = 1;
    return t;
}

struct kube_tally *kube_tally_ref(struct kube_tally *t)
{
    t->refs++;
    return t;
}

static void host_free(void *p)
{
    struct kube_host_tally *h = p;

    free(h->host);
    free(h);
}

static void reflector_free(void *p)
{
    struct kube_reflector_tally *r = p;

    free(r->name);
    free(r);
}

void kube_tally_unref(struct kube_tally *t)
{
    if (!t || --t->refs > 0)
        return;
    map_done_values(&t->hosts, host_free);
    map_done_values(&t->reflectors, reflector_free);
    free(t);
}

struct kube_host_tally *kube_tally_host(struct kube_tally *t, struct str host)
{
    struct str key = map_has(&t->hosts, host) || map_count(&t->hosts) < HOSTS_MAX ? host : STR("other");
    struct kube_host_tally *h = map_get(&t->hosts, key);

    if (h)
        return h;
    h = mem_zalloc(sizeof(*h));
    h->host = str_dup(key);
    map_put(&t->hosts, key, h);
    return h;
}

/* "/apis/<group>/<version>/.../<plural>" or "/api/<version>/.../<plural>". */
static char *name_of(struct str path)
{
    struct str group = STR_NULL, rest, plural = path, before;

    str_rcut(path, '/', &before, &plural);
    if (str_has_prefix(path, STR("/apis/")))
        str_cut(str_n(path.p + 6, path.n - 6), '/', &group, &rest);
    return mem_printf("%" PRIstr "%s%" PRIstr, STRARG(plural), group.n ? "." : "", STRARG(group));
}

struct kube_reflector_tally *kube_tally_reflector(struct kube_tally *t, struct str path)
{
    _cleanup_free_ char *name = name_of(path);
    bool room = map_has(&t->reflectors, str_of(name)) || map_count(&t->reflectors) < REFLECTORS_MAX;
    struct str key = room ? str_of(name) : STR("other");
    struct kube_reflector_tally *r = map_get(&t->reflectors, key);

    if (r)
        return r;
    r = mem_zalloc(sizeof(*r));
    r->name = str_dup(key);
    map_put(&t->reflectors, key, r);
    return r;
}

static const char *known_method(const char *method)
{
    static const char *const methods[] = { "GET", "PATCH", "PUT", "POST", "DELETE" };

    for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
        if (strcmp(method, methods[i]) == 0)
            return methods[i];
    return "other";
}

void kube_tally_request(struct kube_host_tally *h, const char *method, int code)
{
    const char *known = known_method(method);

    for (size_t i = 0; i < h->n; i++)
        if (h->v[i].code == code && h->v[i].method == known) {
            h->v[i].n++;
            return;
        }
    if (h->n == ARRAY_SIZE(h->v))
        h->other++;
    else
        h->v[h->n++] = (struct kube_request_count){ known, code, 1 };
}

const struct kube_host_tally *kube_tally_next_host(const struct kube_tally *t, size_t *iter)
{
    struct map_entry e;

    return map_next(&t->hosts, iter, &e) ? e.val : NULL;
}

const struct kube_reflector_tally *kube_tally_next_reflector(const struct kube_tally *t, size_t *iter)
{
    struct map_entry e;

    return map_next(&t->reflectors, iter, &e) ? e.val : NULL;
}
