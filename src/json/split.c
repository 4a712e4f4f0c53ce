/*
 * The streaming splitter. It follows brackets and strings byte by byte; a value that lies within one piece of input is
 * handed out in place, and only one that is cut by the end of a piece is copied. Memory: at most max_value bytes, a bit
 * per level of nesting.
 */
#include "json/split.h"

#include <stdlib.h>

#include "json/json.h"

enum state {
    AT_START,     /* before the object */
    AT_FIRST_KEY, /* after '{' */
    AT_KEY,       /* after ',' between members */
    AT_COLON,
    AT_VALUE, /* of a member */
    AFTER_MEMBER,
    AT_FIRST_ITEM, /* after '[' of items */
    AT_ITEM,       /* after ',' between items */
    AFTER_ITEM,
    IN_TOKEN, /* inside a key, a member's value or an item */
    AT_END,   /* after the object */
};

enum token { TOKEN_KEY, TOKEN_MEMBER, TOKEN_ITEM };

struct json_split {
    struct json_split_handler handler;
    void *arg;
    enum state state;
    uint64_t offset; /* of the piece being fed, for messages */
    int failed;      /* the code of the first failure */
    /* The token being taken. */
    enum token token;
    bool in_string, escaped, scalar;
    size_t depth;
    uint8_t is_object[(JSON_MAX_DEPTH + 7) / 8]; /* kind of each open bracket */
    struct buf part;                             /* what earlier pieces held of it */
    struct buf name;                             /* of the current member */
};

struct json_split *json_split_new(const struct json_split_handler *handler, void *arg, size_t max_value)
{
    struct json_split *s = mem_zalloc(sizeof(*s));

    s->handler = *handler;
    s->arg = arg;
    s->part = BUF_INIT(max_value);
    s->name = BUF_INIT(max_value);
    return s;
}

void json_split_free(struct json_split *s)
{
    if (!s)
        return;
    buf_done(&s->part);
    buf_done(&s->name);
    free(s);
}

static int fail(struct json_split *s, int code, size_t at, const char *why, struct error **err)
{
    unsigned long long position = s->offset + at;

    s->failed = code;
    return error_set(err, code, "invalid JSON list at byte %llu: %s", position, why);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static bool is_scalar_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '+' ||
           c == '.';
}

static void start_token(struct json_split *s, enum token token)
{
    s->state = IN_TOKEN;
    s->token = token;
    s->in_string = s->escaped = s->scalar = false;
    s->depth = 0;
    buf_reset(&s->part);
}

static int open_bracket(struct json_split *s, bool object, size_t at, struct error **err)
{
    uint8_t bit = (uint8_t)(1u << (s->depth % 8));

    if (s->depth == JSON_MAX_DEPTH)
        return fail(s, -EINVAL, at, "nested too deep", err);
    if (object)
        s->is_object[s->depth / 8] |= bit;
    else
        s->is_object[s->depth / 8] &= (uint8_t)~bit;
    s->depth++;
    return 0;
}

static int close_bracket(struct json_split *s, bool object, size_t at, struct error **err)
{
    size_t d = s->depth - 1;

    if (s->depth == 0 || ((s->is_object[d / 8] >> (d % 8) & 1) != 0) != object)
        return fail(s, -EINVAL, at, "unbalanced brackets", err);
    s->depth--;
    return 0;
}

/* Moves *at to the end of the string (behind the closing quote) or of the input. */
static void scan_string(struct json_split *s, struct str in, size_t *at)
{
    size_t i = *at;

    for (; i < in.n; i++) {
        if (s->escaped)
            s->escaped = false;
        else if (in.p[i] == '\\')
            s->escaped = true;
        else if (in.p[i] == '"')
            break;
    }
    s->in_string = i == in.n;
    *at = s->in_string ? i : i + 1;
}

/* Moves *at to the end of the token or of the input. 1: the token is complete; 0: more is needed. */
static int scan_token(struct json_split *s, struct str in, size_t *at, struct error **err)
{
    while (*at < in.n) {
        char c = in.p[*at];
        int r = 0;

        if (s->in_string) {
            scan_string(s, in, at);
            if (s->in_string)
                return 0;
            if (s->depth == 0)
                return 1;
            continue;
        }
        if (s->scalar && !is_scalar_char(c))
            return 1;
        if (c == '"')
            s->in_string = true;
        else if (c == '{' || c == '[')
            r = open_bracket(s, c == '{', *at, err);
        else if (c == '}' || c == ']')
            r = close_bracket(s, c == '}', *at, err);
        else if (s->depth == 0 && !is_scalar_char(c))
            r = fail(s, -EINVAL, *at, "a value is expected", err);
        else if (s->depth == 0)
            s->scalar = true;
        if (r < 0)
            return r;
        (*at)++;
        if (s->depth == 0 && !s->in_string && !s->scalar)
            return 1;
    }
    return 0;
}

/* Hands out a complete token. */
static int deliver(struct json_split *s, struct str text)
{
    int r = 0;

    switch (s->token) {
    case TOKEN_KEY:
        /* The quotes are not part of the name. */
        buf_reset(&s->name);
        r = buf_add(&s->name, text.p + 1, text.n - 2);
        s->state = AT_COLON;
        break;
    case TOKEN_MEMBER:
        s->state = AFTER_MEMBER;
        if (s->handler.member)
            r = s->handler.member(s->arg, buf_str(&s->name), text);
        break;
    case TOKEN_ITEM:
        s->state = AFTER_ITEM;
        if (s->handler.item)
            r = s->handler.item(s->arg, text);
        break;
    }
    return r;
}

/* Takes as much of the token as the input holds, from *at. */
static int take_token(struct json_split *s, struct str in, size_t *at, struct error **err)
{
    size_t from = *at;
    struct str text;
    int complete = scan_token(s, in, at, err), r;

    if (complete < 0)
        return complete;
    text = str_n(in.p + from, *at - from);
    if (text.n > s->part.max - s->part.n)
        return fail(s, -EFBIG, from, "a value is larger than allowed", err);
    if (!complete)
        return buf_adds(&s->part, text);
    if (s->part.n) {
        buf_adds(&s->part, text);
        text = buf_str(&s->part);
    }
    r = deliver(s, text);
    if (r)
        s->failed = r;
    return r;
}

/* A byte between tokens: punctuation. *taken is false when a token begins with it. */
static int punctuation(struct json_split *s, char c, size_t at, bool *taken, struct error **err)
{
    *taken = true;
    if (s->state == AT_START && c == '{')
        s->state = AT_FIRST_KEY;
    else if ((s->state == AT_FIRST_KEY || s->state == AFTER_MEMBER) && c == '}')
        s->state = AT_END;
    else if (s->state == AFTER_MEMBER && c == ',')
        s->state = AT_KEY;
    else if (s->state == AT_COLON && c == ':')
        s->state = AT_VALUE;
    else if (s->state == AT_VALUE && c == '[' && str_eq(buf_str(&s->name), STR("items")))
        s->state = AT_FIRST_ITEM;
    else if ((s->state == AT_FIRST_ITEM || s->state == AFTER_ITEM) && c == ']')
        s->state = AFTER_MEMBER;
    else if (s->state == AFTER_ITEM && c == ',')
        s->state = AT_ITEM;
    else
        *taken = false;
    if (*taken)
        return 0;
    if ((s->state == AT_FIRST_KEY || s->state == AT_KEY) && c == '"')
        start_token(s, TOKEN_KEY);
    else if (s->state == AT_VALUE)
        start_token(s, TOKEN_MEMBER);
    else if (s->state == AT_FIRST_ITEM || s->state == AT_ITEM)
        start_token(s, TOKEN_ITEM);
    else
        return fail(s, -EINVAL, at, "unexpected character", err);
    return 0;
}

int json_split_feed(struct json_split *s, struct str bytes, struct error **err)
{
    size_t at = 0;
    bool taken;
    int r;

    if (s->failed)
        return error_set(err, s->failed, "the list was given up before");
    while (at < bytes.n) {
        if (s->state == IN_TOKEN) {
            r = take_token(s, bytes, &at, err);
        } else if (is_space(bytes.p[at])) {
            at++;
            continue;
        } else {
            r = punctuation(s, bytes.p[at], at, &taken, err);
            at += r == 0 && taken;
        }
        if (r)
            return r;
    }
    s->offset += bytes.n;
    return 0;
}

int json_split_end(struct json_split *s, struct error **err)
{
    if (s->failed)
        return error_set(err, s->failed, "the list was given up before");
    if (s->state != AT_END)
        return fail(s, -EINVAL, 0, "the input ends too early", err);
    return 0;
}
