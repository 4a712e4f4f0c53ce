/* Shared by the tests of src/fed: JSON literals with single quotes, and comparison with them. */
#ifndef FED_TEST_H
#define FED_TEST_H

#include "fed/typeconfig.h"
#include "json/json.h"
#include "unit.h"

/* Documents of literals live until the program ends. */
static yyjson_doc **literals;
static size_t n_literals;

static inline _unused_ void literals_free(void)
{
    for (size_t i = 0; i < n_literals; i++)
        yyjson_doc_free(literals[i]);
    free(literals);
    literals = NULL;
    n_literals = 0;
}

static inline _unused_ yyjson_val *keep(yyjson_doc *doc)
{
    if (!literals)
        atexit(literals_free);
    literals = mem_realloc(literals, (n_literals + 1) * sizeof(yyjson_doc *));
    literals[n_literals++] = doc;
    return yyjson_doc_get_root(doc);
}

/* Value of JSON text in which ' stands for ". */
static inline _unused_ yyjson_val *J(const char *text)
{
    _cleanup_free_ char *json = mem_strdup(text);
    _cleanup_error_ struct error *err = NULL;
    yyjson_doc *doc = NULL;

    for (char *p = json; *p; p++)
        if (*p == '\'')
            *p = '"';
    if (json_parse(str_of(json), &doc, &err) < 0)
        fail_msg("%s: %s", error_msg(err), text);
    return keep(doc);
}

static inline _unused_ yyjson_val *JF(const char *fmt, ...) _printf_(1, 2);
static inline _unused_ yyjson_val *JF(const char *fmt, ...)
{
    char text[8192];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return J(text);
}

static inline _unused_ void check_json(yyjson_val *got, yyjson_val *expected, const char *file, int line)
{
    _cleanup_buf_ struct buf a = BUF_INIT(SIZE_MAX), b = BUF_INIT(SIZE_MAX);

    if (json_equal(got, expected))
        return;
    json_write_pretty(&a, got);
    json_write_pretty(&b, expected);
    print_error("got      %s\nexpected %s\n", a.p, b.p);
    _fail(file, line);
}
/* got: yyjson_val; expected: literal */
#define assert_json(got, expected) check_json((got), J(expected), __FILE__, __LINE__)
/* got: struct str or yyjson_mut_val */
#define assert_json_text(got, expected) check_json(text_val(got), J(expected), __FILE__, __LINE__)
#define assert_json_mut(got, expected) check_json(keep(json_freeze_val(got)), J(expected), __FILE__, __LINE__)

static inline _unused_ yyjson_val *text_val(struct str text)
{
    yyjson_doc *doc = NULL;

    assert_int_equal(json_parse(text, &doc, NULL), 0);
    return keep(doc);
}

/* A call fails with -EINVAL and a message that contains `fragment`. */
#define assert_refused(call, err, fragment)                                                                            \
    do {                                                                                                               \
        assert_int_equal((call), -EINVAL);                                                                             \
        if (!str_contains(str_of(error_msg(err)), str_of(fragment)))                                                   \
            fail_msg("\"%s\" does not contain \"%s\"", error_msg(err), (fragment));                                    \
        error_free(err);                                                                                               \
        (err) = NULL;                                                                                                  \
    } while (0)

/* An FTC as `enable` makes it. */
static inline _unused_ struct fed_type_config *make_type(const char *group, const char *version, const char *kind,
                                                         const char *plural, bool namespaced)
{
    _cleanup_error_ struct error *err = NULL;
    struct fed_type_config *type = NULL;
    yyjson_val *ftc = JF("{'metadata':{'name':'%s%s%s'},'spec':{'propagation':'Enabled','statusCollection':'Enabled',"
                         "'targetType':{'group':'%s','version':'%s','kind':'%s','pluralName':'%s','scope':'%s'},"
                         "'federatedType':{'group':'types.kubefed.io','version':'v1beta1','kind':'Federated%s',"
                         "'pluralName':'federated%s','scope':'%s'}}}",
                         plural, group[0] ? "." : "", group, group, version, kind, plural,
                         namespaced ? "Namespaced" : "Cluster", kind, plural, namespaced ? "Namespaced" : "Cluster");

    assert_ok(fed_type_config_decode(ftc, &type, &err), err);
    return type;
}

#endif
