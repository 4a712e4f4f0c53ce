/* Tokens: whatever they are, what is read of them is fit for a URL path, and times are never negative. */
#include "fuzz.h"
#include "kube/jwt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct jwt_claims c = { 0 };

    if (jwt_read(str_n((const char *)data, size), &c) < 0) {
        FUZZ_CHECK(!c.service_account && !c.service_account_ns);
        return 0;
    }
    FUZZ_CHECK(c.issued_at >= 0 && c.expires_at >= 0);
    FUZZ_CHECK((c.service_account == NULL) == (c.service_account_ns == NULL));
    if (c.service_account)
        FUZZ_CHECK(!strpbrk(c.service_account, "/?#% ") && !strpbrk(c.service_account_ns, "/?#% "));
    jwt_claims_done(&c);
    return 0;
}
