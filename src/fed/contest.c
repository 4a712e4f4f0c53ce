/*
 * See contest.h. First a walk that finds the path of the difference, as a list of steps; then each entry of managedFields is
 * searched for that path in the form of its fieldsV1 ("f:name", "k:{...}" for list items by key, "i:n" by index).
 */
#include "fed/contest.h"

#include <stdlib.h>

#include "base/rtime.h"

#define DEPTH_MAX 32u

struct step {
    struct str key;   /* member of an object; or empty: item of a list */
    size_t index;     /* of the item */
    yyjson_val *item; /* the live item, or the desired one where the live has none */
};

struct path {
    struct step steps[DEPTH_MAX];
    size_t n;
};

static void push(struct path *p, struct step s)
{
    if (p->n < DEPTH_MAX)
        p->steps[p->n++] = s;
}

/* --- the difference --- */

static bool differs(yyjson_val *desired, yyjson_val *live, struct path *p);

static bool is_empty(yyjson_val *v)
{
    return !v || yyjson_is_null(v) || (yyjson_is_ctn(v) && unsafe_yyjson_get_len(v) == 0) ||
           (yyjson_is_str(v) && json_str(v).n == 0);
}

static bool list_differs(yyjson_val *desired, yyjson_val *live, struct path *p)
{
    size_t before = p->n, i, n;
    yyjson_val *item;

    if (yyjson_arr_size(desired) != yyjson_arr_size(live))
        return true;
    yyjson_arr_foreach(desired, i, n, item)
    {
        yyjson_val *other = yyjson_arr_get(live, i);

        push(p, (struct step){ .index = i, .item = other });
        if (differs(item, other, p))
            return true;
        p->n = before;
    }
    return false;
}

static bool object_differs(yyjson_val *desired, yyjson_val *live, struct path *p)
{
    size_t before = p->n, i, n;
    yyjson_val *key, *value;

    yyjson_obj_foreach(desired, i, n, key, value)
    {
        push(p, (struct step){ .key = json_str(key) });
        if (differs(value, json_getn(live, json_str(key)), p))
            return true;
        p->n = before;
    }
    return false;
}

static bool differs(yyjson_val *desired, yyjson_val *live, struct path *p)
{
    if (p->n >= DEPTH_MAX || (is_empty(desired) && is_empty(live)))
        return !json_equal(desired, live) && p->n >= DEPTH_MAX;
    if (yyjson_is_obj(desired) && yyjson_is_obj(live))
        return object_differs(desired, live, p);
    if (yyjson_is_arr(desired) && yyjson_is_arr(live))
        return list_differs(desired, live, p);
    return !json_equal(desired, live);
}

static bool label_is_foreign(yyjson_val *desired, yyjson_val *live, struct path *p)
{
    yyjson_val *wanted = json_path(desired, "metadata.labels"), *key, *value;
    size_t i, n;

    yyjson_obj_foreach(json_path(live, "metadata.labels"), i, n, key, value)
    {
        if (json_getn(wanted, json_str(key)))
            continue;
        push(p, (struct step){ .key = STR("metadata") });
        push(p, (struct step){ .key = STR("labels") });
        push(p, (struct step){ .key = json_str(key) });
        return true;
    }
    return false;
}

/* What the server decides by itself is no matter of contest. */
static bool is_servers(struct str key)
{
    static const char *const names[] = { "resourceVersion", "uid",        "generation",        "creationTimestamp",
                                         "selfLink",        "finalizers", "deletionTimestamp", "managedFields" };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (str_eqc(key, names[i]))
            return true;
    return false;
}

static bool metadata_differs(yyjson_val *desired, yyjson_val *live, struct path *p)
{
    yyjson_val *key, *value;
    size_t i, n;

    yyjson_obj_foreach(desired, i, n, key, value)
    {
        p->n = 0;
        push(p, (struct step){ .key = STR("metadata") });
        push(p, (struct step){ .key = json_str(key) });
        if (!is_servers(json_str(key)) && differs(value, json_getn(live, json_str(key)), p))
            return true;
    }
    p->n = 0;
    return false;
}

static bool find_difference(yyjson_val *desired, yyjson_val *live, struct path *p)
{
    yyjson_val *key, *value;
    size_t i, n;

    yyjson_obj_foreach(desired, i, n, key, value)
    {
        struct str name = json_str(key);

        p->n = 0;
        if (str_eqc(name, "metadata") ? metadata_differs(value, json_get(live, "metadata"), p)
                                      : (push(p, (struct step){ .key = name }),
                                         !str_eqc(name, "status") && differs(value, json_getn(live, name), p)))
            return true;
    }
    p->n = 0;
    return label_is_foreign(desired, live, p);
}

/* --- its name --- */

static bool is_plain(struct str key)
{
    for (size_t i = 0; i < key.n; i++) {
        char c = key.p[i];

        if (!((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_' || c == '-'))
            return false;
    }
    return key.n > 0;
}

static char *name_of(const struct path *p)
{
    _cleanup_buf_ struct buf out = BUF_INIT((size_t)FED_CONTEST_MAX);

    for (size_t i = 0; i < p->n; i++) {
        const struct step *s = &p->steps[i];

        if (!s->key.p)
            buf_printf(&out, "[%zu]", s->index);
        else if (is_plain(s->key))
            buf_printf(&out, "%s%" PRIstr, i ? "." : "", STRARG(s->key));
        else
            buf_printf(&out, "[\"%" PRIstr "\"]", STRARG(s->key));
    }
    return buf_failed(&out) || !out.n ? mem_strdup("a field with a long name") : buf_take(&out, NULL);
}

/* --- its manager --- */

/* "k:{...}" describes the item: every member of the key has the same value there. */
static bool is_key_of(struct str key, yyjson_val *item)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    yyjson_val *name, *value;
    size_t i, n;

    if (!str_has_prefix(key, STR("k:")) || json_parse(str_n(key.p + 2, key.n - 2), &doc, NULL) < 0)
        return false;
    yyjson_obj_foreach(yyjson_doc_get_root(doc), i, n, name, value)
    {
        if (!json_equal(value, json_getn(item, json_str(name))))
            return false;
    }
    return yyjson_is_obj(yyjson_doc_get_root(doc));
}

static yyjson_val *descend(yyjson_val *fields, const struct step *s)
{
    yyjson_val *key, *value;
    size_t i, n;

    yyjson_obj_foreach(fields, i, n, key, value)
    {
        struct str name = json_str(key);

        if (s->key.p ? str_has_prefix(name, STR("f:")) && str_eq(str_n(name.p + 2, name.n - 2), s->key)
                     : is_key_of(name, s->item))
            return value;
    }
    return NULL;
}

/* The entry owns the field, or something around it that is owned as a whole. */
static bool owns(yyjson_val *entry, const struct path *p)
{
    yyjson_val *fields = json_get(entry, "fieldsV1");

    for (size_t i = 0; i < p->n; i++) {
        fields = descend(fields, &p->steps[i]);
        if (!fields)
            return false;
        if (yyjson_obj_size(fields) == 0)
            return true;
    }
    return true;
}

static int64_t time_of(yyjson_val *entry)
{
    int64_t t;

    return time_parse_rfc3339(json_path_str(entry, "time"), &t) == 0 ? t : 0;
}

/* The latest of those who own the field; of the others when it is gone, since nobody owns what is not there. */
static char *manager_of(yyjson_val *live, const struct path *p, struct str own)
{
    yyjson_val *best = NULL, *latest = NULL, *item;
    bool ours = false;
    size_t i, n;

    yyjson_arr_foreach(json_path(live, "metadata.managedFields"), i, n, item)
    {
        bool is_own = str_eq(json_path_str(item, "manager"), own), holds = owns(item, p);

        ours |= is_own && holds;
        if (is_own)
            continue;
        if (holds && (!best || time_of(item) >= time_of(best)))
            best = item;
        if (!latest || time_of(item) >= time_of(latest))
            latest = item;
    }
    if (!best && ours)
        return mem_strdup("an admission webhook");
    best = best ? best : latest;
    struct str name = json_path_str(best, "manager");

    return str_dup(str_n(name.p, MIN(name.n, (size_t)FED_CONTEST_MAX)));
}

/* --- both --- */

void fed_contest_done(struct fed_contest *c)
{
    free(c->field);
    free(c->manager);
    *c = (struct fed_contest){ 0 };
}

bool fed_contest_find(yyjson_val *desired, yyjson_val *live, struct str own, struct fed_contest *ret)
{
    struct path p = { .n = 0 };

    if (!find_difference(desired, live, &p))
        return false;
    ret->field = name_of(&p);
    ret->manager = manager_of(live, &p, own);
    return true;
}
