/* YAML: whatever reads must be written so that it reads back as the same. */
#include "fuzz.h"
#include "json/yaml.h"

static void check_round_trip(yyjson_doc *doc)
{
    _cleanup_buf_ struct buf b = BUF_INIT((size_t)256 << 20);
    _cleanup_json_ yyjson_doc *again = NULL;
    _cleanup_error_ struct error *err = NULL;

    FUZZ_CHECK(yaml_write(&b, yyjson_doc_get_root(doc)) == 0);
    FUZZ_CHECK(b.n > 0 && b.p[b.n - 1] == '\n');
    if (yaml_parse(buf_str(&b), &again, &err) < 0)
        fprintf(stderr, "%s\n", err->msg);
    FUZZ_CHECK(again);
    FUZZ_CHECK(json_equal(yyjson_doc_get_root(doc), yyjson_doc_get_root(again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_n((const char *)data, size);
    _cleanup_json_ yyjson_doc *first = NULL;
    _cleanup_error_ struct error *err = NULL;
    yyjson_doc **docs = NULL;
    size_t n = 0;

    if (yaml_parse(text, &first, &err) == 0)
        check_round_trip(first);
    else
        FUZZ_CHECK(err);
    if (yaml_parse_all(text, &docs, &n, NULL) == 0) {
        for (size_t i = 0; i < n; i++)
            check_round_trip(docs[i]);
        yaml_docs_free(docs, n);
    }
    return 0;
}
