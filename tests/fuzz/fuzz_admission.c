/*
 * What webhooks say of any object: the text is an object {"object", "old"}. Every verdict is allowed, a violation or unreadable,
 * with a message of bounded length; the patch that defaults applies, is needed once only, and leaves nothing missing that could
 * be added: then the object is judged as the controller manager reads it.
 */
#include "fed/admission.h"

#include "fed/cluster.h"
#include "fed/config.h"
#include "fed/typeconfig.h"
#include "fuzz.h"
#include "json/patch.h"

#define MESSAGE_MAX 16384

static int verdict(int r, struct error *err)
{
    FUZZ_CHECK(r == 0 || r == -EINVAL || r == -EBADMSG);
    FUZZ_CHECK((r < 0) == (err != NULL));
    FUZZ_CHECK(!err || (err->code == r && err->msg[0] && strlen(err->msg) <= MESSAGE_MAX));
    error_free(err);
    return r;
}

static int admit_config(yyjson_val *object, yyjson_val *old)
{
    struct error *err = NULL;
    int r = fed_admit_config(object, old, &err);

    return verdict(r, err);
}

/* Decoders that default accept what the stricter webhook allows, and are as sure about what cannot be read. */
static void check_cluster(yyjson_val *object)
{
    _cleanup_(fed_cluster_freep) struct fed_cluster *c = NULL;
    struct error *err = NULL;
    int r = fed_admit_cluster(object, false, &err);

    verdict(r, err);
    FUZZ_CHECK((fed_cluster_decode(object, &c, NULL) == 0) == (r == 0));
    err = NULL;
    r = fed_admit_cluster(object, true, &err);
    verdict(r, err);
}

static void check_type(yyjson_val *object)
{
    _cleanup_(fed_type_config_freep) struct fed_type_config *c = NULL;
    struct error *err = NULL;
    int r = fed_admit_type_config(object, false, &err);

    verdict(r, err);
    FUZZ_CHECK(r < 0 || fed_type_config_decode(object, &c, NULL) == 0);
    err = NULL;
    r = fed_admit_type_config(object, true, &err);
    verdict(r, err);
}

static yyjson_doc *apply(yyjson_val *object, struct str patch)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_of(object);
    _cleanup_json_ yyjson_doc *parsed = NULL;
    yyjson_val *op;
    size_t i, n;

    FUZZ_CHECK(json_parse(patch, &parsed, NULL) == 0);
    yyjson_arr_foreach(yyjson_doc_get_root(parsed), i, n, op)
    {
        struct json_patch_op o = { json_path_str(op, "op"), json_path_str(op, "path"), json_get(op, "value"), true };

        FUZZ_CHECK(str_eqc(o.op, "add") && o.value && json_patch_apply(doc, &o, NULL) == 0);
    }
    return json_freeze(doc);
}

static void check_config(yyjson_val *object, yyjson_val *old)
{
    _cleanup_buf_ struct buf patch = BUF_INIT((size_t)4096), again = BUF_INIT((size_t)4096);
    _cleanup_(fed_config_freep) struct fed_config *c = NULL;
    _cleanup_json_ yyjson_doc *after = NULL;
    int strict, lenient = fed_config_decode(object, &c, NULL);

    admit_config(object, old);
    strict = admit_config(object, NULL);
    if (fed_config_default_patch(object, &patch)) {
        FUZZ_CHECK(strict < 0 && !buf_failed(&patch)); /* what is missing is refused */
        after = apply(object, buf_str(&patch));
        object = yyjson_doc_get_root(after);
        strict = admit_config(object, NULL);
    }
    FUZZ_CHECK(!fed_config_default_patch(object, &again) && again.n == 0);
    FUZZ_CHECK((strict == 0) == (lenient == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    yyjson_val *object, *old;

    if (json_parse(str_n((const char *)data, size), &doc, NULL) < 0)
        return 0;
    object = json_get(yyjson_doc_get_root(doc), "object");
    old = json_get(yyjson_doc_get_root(doc), "old");
    check_cluster(object);
    check_type(object);
    check_config(object, old);
    return 0;
}
