/* URLs: what is accepted must be made of clean parts, and be the same again when it is written and read. */
#include "fuzz.h"
#include "net/url.h"

static void check_clean(const char *s)
{
    for (; *s; s++)
        FUZZ_CHECK((unsigned char)*s > ' ' && *s != 0x7f && *s != '?' && *s != '#');
}

static void check_parts(const struct url *u)
{
    size_t n = strlen(u->path);

    check_clean(u->scheme);
    check_clean(u->host);
    check_clean(u->path);
    for (const char *c = u->scheme; *c; c++)
        FUZZ_CHECK(*c < 'A' || *c > 'Z');
    FUZZ_CHECK(u->scheme[0] && u->host[0] && u->port > 0);
    FUZZ_CHECK(!strpbrk(u->host, "/@[]"));
    FUZZ_CHECK(n == 0 || (u->path[0] == '/' && u->path[n - 1] != '/'));
    FUZZ_CHECK(u->user || !u->password);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(url_done) struct url u = { 0 }, again = { 0 };
    _cleanup_error_ struct error *err = NULL;
    _cleanup_free_ char *text = NULL;

    if (url_parse(str_n((const char *)data, size), &u, &err) < 0) {
        FUZZ_CHECK(err && err->code == -EINVAL && !u.scheme);
        return 0;
    }
    check_parts(&u);
    text = url_format(&u);
    FUZZ_CHECK(url_parse(str_of(text), &again, NULL) == 0);
    FUZZ_CHECK(strcmp(u.scheme, again.scheme) == 0 && strcmp(u.host, again.host) == 0 && u.port == again.port);
    FUZZ_CHECK(strcmp(u.path, again.path) == 0 && !again.user && !again.password);
    return 0;
}
