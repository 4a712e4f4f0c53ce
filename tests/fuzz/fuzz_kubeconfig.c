/*
 * Kubeconfig files. The first byte chooses whether the server is given and whether files can be read, the rest is one file,
 * or two with a NUL between them. Every context must end in a connection or in a message; no file of this machine is read.
 */
#include "fuzz.h"
#include "kube/kubeconfig.h"

static bool readable;

static int read_file(const char *path, size_t max, struct buf *ret, struct error **err)
{
    FUZZ_CHECK(path[0] != '\0' && max > 0);
    if (!readable)
        return error_set(err, -ENOENT, "open %s: no such file or directory", path);
    *ret = BUF_INIT(max);
    return buf_addz(ret, "PEM of a file");
}

static void check_config(const struct kube_config *c, const char *context, bool server_given)
{
    FUZZ_CHECK(c->context && strcmp(c->context, context) == 0);
    FUZZ_CHECK((c->server && c->server[0]) || server_given);
    FUZZ_CHECK(!(c->tls_skip && c->ca_pem.n));
    FUZZ_CHECK((c->cert_pem.n > 0) == (c->key_pem.n > 0));
    FUZZ_CHECK(!(c->token && (c->username || c->password)));
    FUZZ_CHECK(c->as_user || (!c->as_uid && !c->as_groups && !c->as_extra));
    FUZZ_CHECK(!c->ca_file || readable);
    if (!c->exec)
        return;
    FUZZ_CHECK(c->exec->command && c->exec->command[0] && c->exec->api_version);
    FUZZ_CHECK(c->exec->interactive >= 0 && c->exec->interactive <= 2);
    for (size_t i = 0; c->exec->env && c->exec->env[i].name; i++)
        FUZZ_CHECK(c->exec->env[i].value && !strchr(c->exec->env[i].name, '='));
}

static void resolve(const struct kubeconfig *k, const char *context, bool server_given)
{
    _cleanup_kube_config_ struct kube_config *c = NULL;
    _cleanup_error_ struct error *err = NULL;
    int r = kubeconfig_resolve(k, context, server_given, &c, &err);

    FUZZ_CHECK(r <= 0 && (r == 0) == (c != NULL) && (r == 0) == (err == NULL));
    if (c)
        check_config(c, context ? context : k->current, server_given);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_kubeconfig_ struct kubeconfig k;
    struct str head, tail;
    struct map_entry e;
    bool server_given;
    int r;

    kubeconfig_init(&k);
    if (size < 2)
        return 0;
    readable = data[0] & 1;
    server_given = data[0] & 2;
    k.read_file = read_file;
    str_cut(str_n((const char *)data + 1, size - 1), '\0', &head, &tail);
    r = kubeconfig_add(&k, "/etc/first", head, NULL);
    if (r == 0 && tail.p)
        r = kubeconfig_add(&k, "second", tail, NULL);
    FUZZ_CHECK(r <= 0 && (!k.current || k.current[0]));
    if (r < 0)
        return 0;
    resolve(&k, NULL, server_given);
    resolve(&k, "no such context", server_given);
    for (size_t i = 0; map_next(&k.contexts, &i, &e);) {
        _cleanup_free_ char *name = str_dup(e.key);

        if (name[0])
            resolve(&k, name, server_given);
    }
    return 0;
}
