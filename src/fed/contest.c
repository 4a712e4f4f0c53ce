/*
 * See contest.h. First a walk that finds the path of the difference, as a list of steps; then each entry of managedFields is
 * searched for that path in the form of its fieldsV1 ("f:name"; items of lists as "k:{...}" by key, "v:..." by value, "i:n"
 * by index).
 */
#include "fed/contest.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/rtime.h"

#define DEPTH_MAX 32u
/* Larger objects are looked into through a map: members decide how large they are. */
#define LINEAR_MAX 16u

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

/* --- members of objects --- */

struct members {
    yyjson_val *obj;
    struct map by_key; /* empty for small objects */
};

static struct members members_of(yyjson_val *obj)
{
    struct members m = { .obj = obj, .by_key = MAP_INIT };
    yyjson_val *key, *value;
    size_t i, n;

    if (yyjson_obj_size(obj) > LINEAR_MAX)
        yyjson_obj_foreach(obj, i, n, key, value) map_put(&m.by_key, json_str(key), value);
    return m;
}

static void members_done(struct members *m)
{
    map_done(&m->by_key);
}

static yyjson_val *member(const struct members *m, struct str key)
{
    return map_count(&m->by_key) ? map_get(&m->by_key, key) : json_getn(m->obj, key);
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
    _cleanup_(members_done) struct members present = members_of(live);
    size_t before = p->n, i, n;
    yyjson_val *key, *value;

    yyjson_obj_foreach(desired, i, n, key, value)
    {
        push(p, (struct step){ .key = json_str(key) });
        if (differs(value, member(&present, json_str(key)), p))
            return true;
        p->n = before;
    }
    return false;
}

static bool differs(yyjson_val *desired, yyjson_val *live, struct path *p)
{
    if (is_empty(desired) && is_empty(live))
        return false;
    if (p->n >= DEPTH_MAX)
        return !json_equal(desired, live);
    if (yyjson_is_obj(desired) && yyjson_is_obj(live))
        return object_differs(desired, live, p);
    if (yyjson_is_arr(desired) && yyjson_is_arr(live))
        return list_differs(desired, live, p);
    return !json_equal(desired, live);
}

static bool label_is_foreign(yyjson_val *desired, yyjson_val *live, struct path *p)
{
    _cleanup_(members_done) struct members wanted = members_of(json_path(desired, "metadata.labels"));
    yyjson_val *present = json_path(live, "metadata.labels"), *key, *value;
    size_t i, n;

    if (yyjson_obj_size(present) == 0)
        return false;
    yyjson_obj_foreach(present, i, n, key, value)
    {
        if (member(&wanted, json_str(key)))
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
    _cleanup_(members_done) struct members present = members_of(live);
    yyjson_val *key, *value;
    size_t i, n;

    yyjson_obj_foreach(desired, i, n, key, value)
    {
        p->n = 0;
        push(p, (struct step){ .key = STR("metadata") });
        push(p, (struct step){ .key = json_str(key) });
        if (!is_servers(json_str(key)) && differs(value, member(&present, json_str(key)), p))
            return true;
    }
    p->n = 0;
    return false;
}

static bool find_difference(yyjson_val *desired, yyjson_val *live, struct path *p)
{
    _cleanup_(members_done) struct members present = members_of(live);
    yyjson_val *key, *value;
    size_t i, n;

    yyjson_obj_foreach(desired, i, n, key, value)
    {
        struct str name = json_str(key);

        p->n = 0;
        if (str_eqc(name, "metadata") ? metadata_differs(value, json_get(live, "metadata"), p)
                                      : (push(p, (struct step){ .key = name }),
                                         !str_eqc(name, "status") && differs(value, member(&present, name), p)))
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

/* Every member of the key has the same value in the item. */
static bool is_key_of(yyjson_val *key, yyjson_val *item)
{
    yyjson_val *name, *value;
    size_t i, n;

    yyjson_obj_foreach(key, i, n, name, value)
    {
        if (!json_equal(value, json_getn(item, json_str(name))))
            return false;
    }
    return yyjson_is_obj(key);
}

/* "k:{...}", "v:..." or "i:n" means this item of a list. */
static bool is_name_of(struct str name, const struct step *s)
{
    bool by_key = str_has_prefix(name, STR("k:")), by_value = str_has_prefix(name, STR("v:"));
    _cleanup_json_ yyjson_doc *doc = NULL;
    uint64_t index;

    if (str_has_prefix(name, STR("i:")))
        return str_to_u64(str_n(name.p + 2, name.n - 2), &index) == 0 && index == s->index;
    if ((!by_key && !by_value) || json_parse(str_n(name.p + 2, name.n - 2), &doc, NULL) < 0)
        return false;
    return by_key ? is_key_of(yyjson_doc_get_root(doc), s->item) : json_equal(yyjson_doc_get_root(doc), s->item);
}

static yyjson_val *descend(yyjson_val *fields, const struct step *s)
{
    yyjson_val *key, *value;
    size_t i, n;

    if (yyjson_obj_size(fields) == 0)
        return NULL;
    yyjson_obj_foreach(fields, i, n, key, value)
    {
        struct str name = json_str(key);

        if (s->key.p ? str_has_prefix(name, STR("f:")) && str_eq(str_n(name.p + 2, name.n - 2), s->key)
                     : is_name_of(name, s))
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

static bool is_later(yyjson_val *entry, yyjson_val *than)
{
    return !than || time_of(entry) >= time_of(than);
}

/* The latest of those who own the field. Nobody owns what is gone: then the latest of those who write more than statuses.
 * When that is only us, the field was changed on its way. */
static char *manager_of(yyjson_val *live, const struct path *p, struct str own)
{
    yyjson_val *best = NULL, *latest = NULL, *item;
    bool ours = false, owned_by_us = false;
    size_t i, n;

    yyjson_arr_foreach(json_path(live, "metadata.managedFields"), i, n, item)
    {
        bool is_own = str_eq(json_path_str(item, "manager"), own), holds = owns(item, p);

        ours |= is_own;
        owned_by_us |= is_own && holds;
        if (!is_own && holds && is_later(item, best))
            best = item;
        if (!is_own && !str_eqc(json_path_str(item, "subresource"), "status") && is_later(item, latest))
            latest = item;
    }
    if (!best && (owned_by_us || (ours && !latest)))
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

    if (!desired || !find_difference(desired, live, &p))
        return false;
    ret->field = name_of(&p);
    ret->manager = manager_of(live, &p, own);
    return true;
}
