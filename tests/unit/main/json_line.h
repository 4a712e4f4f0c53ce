/* One line of the log as JSON, taken apart; fails the test when it is none. */
#ifndef JSON_LINE_H
#define JSON_LINE_H

#include "json/json.h"
#include "unit.h"

struct json_line {
    yyjson_doc *doc;
    const char *level, *caller, *msg;
    double ts;
};

static inline struct json_line json_line_parse(const char *text)
{
    struct json_line l = { 0 };
    size_t n = strlen(text);
    struct error *err = NULL;

    assert_true(n > 0 && text[n - 1] == '\n' && memchr(text, '\n', n) == text + n - 1);
    if (json_parse(str_n(text, n - 1), &l.doc, &err) < 0)
        fail_msg("%s: %s", error_msg(err), text);
    yyjson_val *root = yyjson_doc_get_root(l.doc);
    assert_int_equal(yyjson_obj_size(root), 4);
    l.level = yyjson_get_str(json_get(root, "level"));
    l.caller = yyjson_get_str(json_get(root, "caller"));
    l.msg = yyjson_get_str(json_get(root, "msg"));
    l.ts = yyjson_get_num(json_get(root, "ts"));
    assert_true(l.level && l.caller && l.msg);
    return l;
}

static inline void json_line_done(struct json_line *l)
{
    yyjson_doc_free(l->doc);
}

#endif
