/* The output of credential plugins: a credential that can be used, or a message that repeats nothing of the output. */
#include "fuzz.h"
#include "kube/exec.h"

#define V1 "client.authentication.k8s.io/v1"

static void check_credential(const struct exec_credential *c)
{
    FUZZ_CHECK(c->token || c->cert_pem);
    FUZZ_CHECK((c->cert_pem == NULL) == (c->key_pem == NULL));
    FUZZ_CHECK(c->expires_s >= 0);
    for (const char *p = c->token; p && *p; p++)
        FUZZ_CHECK((unsigned char)*p >= ' ' && *p != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str output = str_n((const char *)data, size);
    struct exec_credential c = { 0 };
    _cleanup_error_ struct error *err = NULL;
    int r = exec_credential_parse(output, V1, &c, &err);

    FUZZ_CHECK((r == 0 && !err) || (r == -EINVAL && err));
    if (r == 0)
        check_credential(&c);
    else
        FUZZ_CHECK(!c.token && !c.cert_pem && !c.key_pem && strlen(err->msg) < 300);
    exec_credential_done(&c);
    return 0;
}
