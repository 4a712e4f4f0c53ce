/* Go durations: whatever parses must survive being printed and parsed again. */
#include "base/rtime.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_error_ struct error *err = NULL;
    int64_t ns = 0, again = 0;
    char text[32];

    if (duration_parse(str_n((const char *)data, size), &ns, &err) < 0) {
        FUZZ_CHECK(err && err->msg);
        return 0;
    }
    FUZZ_CHECK(!err);
    duration_format(ns, text);
    FUZZ_CHECK(duration_parse(str_of(text), &again, NULL) == 0);
    FUZZ_CHECK(again == ns);
    return 0;
}
