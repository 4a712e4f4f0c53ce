/* The parts of a plan: request bodies, events, operations, and what all planners ask. See plan.h. */
#include "fed/plan_internal.h"

#include <stdlib.h>

#include "fed/placement.h"

/* A message longer than this helps nobody and would not fit a log line. */
#define MESSAGE_MAX ((size_t)4096)

/* --- bodies --- */

struct fed_body {
    unsigned refs;
    size_t n;
    char text[];
};

struct fed_body *body_of_text(struct str text)
{
    struct fed_body *b = mem_alloc(sizeof(*b) + text.n + 1);

    b->refs = 1;
    b->n = text.n;
    memcpy(b->text, text.p, text.n);
    b->text[text.n] = '\0';
    return b;
}

struct fed_body *body_of(yyjson_mut_val *v)
{
    _cleanup_buf_ struct buf text = BUF_INIT(SIZE_MAX);

    json_mut_write(&text, v);
    return body_of_text(buf_str(&text));
}

struct str fed_body_str(const struct fed_body *b)
{
    return str_n(b->text, b->n);
}

struct fed_body *fed_body_ref(struct fed_body *b)
{
    b->refs++;
    return b;
}

void fed_body_unref(struct fed_body *b)
{
    if (b && --b->refs == 0)
        free(b);
}

struct fed_body *body_unlabel(void)
{
    return body_of_text(STR("{\"metadata\":{\"labels\":{\"" FED_MANAGED_LABEL "\":null}}}"));
}

/* --- plans --- */

struct fed_plan *plan_new(const struct fed_plan_input *in)
{
    struct fed_plan *p = mem_zalloc(sizeof(*p));
    char hash[FED_HASH_LEN + 1];

    p->reason = FED_REASON_SUCCESS;
    p->n_clusters = in->n_clusters;
    p->clusters = mem_array(in->n_clusters + 1, sizeof(*p->clusters));
    fed_template_hash(in->object, hash);
    p->template_hash = mem_strdup(hash);
    (void)fed_overrides_hash(in->object, hash); /* overrides that cannot be hashed cannot be applied either */
    p->overrides_hash = mem_strdup(hash);
    return p;
}

void fed_plan_free(struct fed_plan *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n_ops; i++)
        fed_body_unref(p->ops[i].body);
    for (size_t i = 0; i < p->n_events; i++)
        free(p->events[i].message);
    for (size_t i = 0; i < p->n_clusters; i++) {
        free(p->clusters[i].error);
        free(p->clusters[i].recorded_version);
    }
    free(p->ops);
    free(p->events);
    free(p->clusters);
    free(p->template_hash);
    free(p->overrides_hash);
    free(p);
}

/* One operation per cluster at most: the array never outgrows its first allocation. */
void plan_add_op(struct fed_plan *p, enum fed_op_kind kind, size_t cluster, struct fed_body *body)
{
    if (!p->ops)
        p->ops = mem_array(p->n_clusters, sizeof(*p->ops));
    assert(p->n_ops < p->n_clusters);
    p->ops[p->n_ops++] = (struct fed_op){ kind, cluster, body };
}

/* A copy that is not longer than MESSAGE_MAX and does not end within a character. Owned. */
static char *shortened(struct str text)
{
    static const char more[] = " ...";
    size_t n = MESSAGE_MAX - sizeof(more);

    if (text.n <= MESSAGE_MAX)
        return str_dup(text);
    while (n && (text.p[n] & 0xc0) == 0x80)
        n--;
    return mem_printf("%.*s%s", (int)n, text.p, more);
}

void plan_event(struct fed_plan *p, const char *type, const char *reason, const char *fmt, ...)
{
    _cleanup_buf_ struct buf text = BUF_INIT(SIZE_MAX);
    struct fed_event *grown;
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    grown = mem_realloc(p->events, (p->n_events + 1) * sizeof(*grown));
    p->events = grown;
    grown[p->n_events++] = (struct fed_event){ type, reason, shortened(buf_str(&text)) };
}

void plan_fail(struct fed_plan *p, size_t cluster, const char *status, const char *error)
{
    struct fed_plan_cluster *c = &p->clusters[cluster];

    c->status = status;
    free(c->error);
    c->error = mem_strdup(error);
}

struct str plan_target_name(const struct fed_plan_input *in)
{
    struct str ns, name;

    if (fed_type_is_namespace(in->type) && str_cut(in->key, '/', &ns, &name))
        return name;
    return in->key;
}

bool plan_is_host_namespace(const struct fed_plan_input *in, struct str uid)
{
    return fed_type_is_namespace(in->type) && in->host_namespace_uid.n && str_eq(in->host_namespace_uid, uid);
}

struct str plan_recorded(const struct fed_plan *p, const struct fed_plan_input *in, struct str cluster)
{
    if (!fed_versions_match(in->versions, str_of(p->template_hash), str_of(p->overrides_hash)))
        return STR_NULL;
    return fed_versions_get(in->versions, cluster);
}

void plan_remember_version(struct fed_plan *p, size_t cluster, struct str version)
{
    if (version.n == 0)
        return;
    free(p->clusters[cluster].recorded_version);
    p->clusters[cluster].recorded_version = str_dup(version);
}

int plan_place(const struct fed_plan_input *in, bool *selected, bool *ret_not_federated, struct error **err)
{
    _cleanup_free_ struct fed_placement_cluster *clusters = mem_array(in->n_clusters + 1, sizeof(*clusters));
    struct fed_placement_input placement = {
        .object = in->object,
        .target_namespaced = in->type->target.namespaced,
        .namespace_scoped = in->namespace_scoped,
        .fed_namespace = in->fed_namespace,
        .clusters = clusters,
        .n_clusters = in->n_clusters,
    };

    for (size_t i = 0; i < in->n_clusters; i++)
        clusters[i] = (struct fed_placement_cluster){ in->clusters[i].name, in->clusters[i].labels };
    return fed_placement(&placement, selected, ret_not_federated, err);
}
