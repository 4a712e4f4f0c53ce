/* The candidates of a completion: what may be among them, and their form. */
#include <stdlib.h>

#include "base/utf8.h"
#include "cli/complete.h"

void complete_list_done(struct complete_list *l)
{
    for (size_t i = 0; i < l->n; i++) {
        free(l->v[i].word);
        free(l->v[i].description);
    }
    free(l->v);
    *l = (struct complete_list){ 0 };
}

/* Controls, and what changes how the text around it is shown. */
static bool is_harmless(uint32_t c)
{
    if (c < 0x20 || (c >= 0x7f && c < 0xa0))
        return false;
    return !(c >= 0x200b && c <= 0x200f) && !(c >= 0x2028 && c <= 0x202e) && !(c >= 0x2060 && c <= 0x2069) &&
           c != 0xfeff;
}

static bool is_printable(struct str s)
{
    while (!str_empty(s)) {
        uint32_t c;
        size_t n = utf8_decode(s, &c);
        if (!n || !is_harmless(c))
            return false;
        s = str_n(s.p + n, s.n - n);
    }
    return true;
}

static char *printable(const char *text)
{
    struct buf b = BUF_INIT(BUF_MAX_DEFAULT);
    for (struct str s = str_of(text); !str_empty(s);) {
        uint32_t c;
        size_t n = utf8_decode(s, &c);
        if (n && is_harmless(c))
            buf_add(&b, s.p, n);
        else
            buf_addc(&b, ' ');
        s = str_n(s.p + MAX(n, (size_t)1), s.n - MAX(n, (size_t)1));
    }
    return buf_take(&b, NULL);
}

void complete_add(struct complete_list *l, struct str word, const char *description)
{
    if (str_empty(word) || !str_has_prefix(word, str_of(l->prefix)) || !is_printable(word))
        return;
    MEM_GROW(l->v, l->cap, l->n);
    l->v[l->n++] = (struct complete_item){ str_dup(word), printable(description) };
}

void complete_add_name(struct complete_list *l, struct str name, const char *description)
{
    static const char special[] = " \"'`$\\;|&<>(){}[]*?!#~^%";
    if (str_empty(name) || name.p[0] == '-')
        return;
    for (size_t i = 0; i < name.n; i++)
        if (strchr(special, name.p[i])) /* a NUL, too */
            return;
    complete_add(l, name, description);
}

static int by_word(const void *a, const void *b)
{
    return strcmp(((const struct complete_item *)a)->word, ((const struct complete_item *)b)->word);
}

void complete_list_write(struct complete_list *l, struct buf *out)
{
    size_t lines = 0;
    if (l->n > 1)
        qsort(l->v, l->n, sizeof(l->v[0]), by_word);
    for (size_t i = 0; i < l->n && lines < COMPLETE_MAX; i++) {
        const struct complete_item *c = &l->v[i];
        if (i && strcmp(c->word, l->v[i - 1].word) == 0)
            continue;
        buf_printf(out, "%s%s%s\n", c->word, c->description[0] ? "\t" : "", c->description);
        lines++;
    }
}
