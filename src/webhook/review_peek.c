/* Reads of a review what an answer needs, without parsing it: for those that are too large to be parsed. */
#include "webhook/review.h"

struct peek {
    struct str text, key[3]; /* the key that was seen last at depth 1 and 2 */
    size_t at, depth;
    struct review *ret;
};

static void skip_space(struct peek *p)
{
    while (p->at < p->text.n && strchr(" \t\r\n", p->text.p[p->at]))
        p->at++;
}

/* The string that begins here, as it is written: "" when that is not what it means. */
static struct str take_string(struct peek *p)
{
    size_t begin = ++p->at;
    bool plain = true;

    for (; p->at < p->text.n && p->text.p[p->at] != '"'; p->at++)
        if (p->text.p[p->at] == '\\') {
            plain = false;
            p->at++;
        }
    size_t end = MIN(p->at, p->text.n);
    p->at = MIN(p->at + 1, p->text.n);
    return plain ? str_n(p->text.p + begin, end - begin) : STR("");
}

/* Where the value of the current key belongs, or NULL. */
static struct str *place(const struct peek *p, struct str *kind)
{
    if (p->depth == 1 && str_eqc(p->key[1], "kind"))
        return kind;
    if (p->depth == 1 && str_eqc(p->key[1], "apiVersion"))
        return &p->ret->api_version;
    if (p->depth == 2 && str_eqc(p->key[1], "request") && str_eqc(p->key[2], "uid"))
        return &p->ret->uid;
    return NULL;
}

/* A key or a value. Of keys that come twice the last one counts. */
static void on_string(struct peek *p, struct str *kind)
{
    struct str s = take_string(p), *to;

    if (p->depth < 1 || p->depth > 2)
        return;
    skip_space(p);
    bool is_key = p->at < p->text.n && p->text.p[p->at] == ':';
    if (is_key)
        p->key[p->depth] = s;
    to = place(p, kind);
    if (to)
        *to = is_key ? STR("") : s;
    if (is_key && p->depth == 1 && str_eqc(s, "request"))
        p->ret->uid = STR("");
}

bool review_peek(struct str body, struct review *ret)
{
    struct peek p = { .text = body, .ret = ret };
    struct str kind = STR("");

    *ret = (struct review){ 0 };
    while (p.at < body.n) {
        char c = body.p[p.at];

        if (c == '"') {
            on_string(&p, &kind);
            continue;
        }
        if (c == '{' || c == '[') {
            p.depth++;
            if (p.depth == 2)
                p.key[2] = STR("");
        } else if ((c == '}' || c == ']') && p.depth > 0) {
            p.depth--;
        }
        p.at++;
    }
    return str_eqc(kind, "AdmissionReview") && review_is_version(ret->api_version) && !str_empty(ret->uid);
}
