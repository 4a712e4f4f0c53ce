/*
 * Who changes what: the text is an object {"desired", "live", "own"}. Whatever a member sends as object and managedFields, a
 * contest has names of bounded length, and an object that is as desired has none.
 */
#include "fed/contest.h"

#include <string.h>

#include "fuzz.h"

/* Of duplicate keys only the last one counts, so that such a document may differ from itself. */
static bool has_duplicates(yyjson_val *v)
{
    yyjson_val *key, *item;
    size_t i, n;

    if (yyjson_is_arr(v)) {
        yyjson_arr_foreach(v, i, n, item) if (has_duplicates(item)) return true;
        return false;
    }
    yyjson_obj_foreach(v, i, n, key, item)
    {
        if (json_getn(v, json_str(key)) != item || has_duplicates(item))
            return true;
    }
    return false;
}

static void check_names(const struct fed_contest *c)
{
    FUZZ_CHECK(c->field && c->field[0] && strlen(c->field) <= FED_CONTEST_MAX);
    FUZZ_CHECK(c->manager && strlen(c->manager) <= FED_CONTEST_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    struct fed_contest c = { 0 }, again = { 0 };
    yyjson_val *desired, *live;
    struct str own;
    bool found;

    if (json_parse(str_n((const char *)data, size), &doc, NULL) < 0)
        return 0;
    desired = json_get(yyjson_doc_get_root(doc), "desired");
    live = json_get(yyjson_doc_get_root(doc), "live");
    own = json_path_str(yyjson_doc_get_root(doc), "own");
    found = fed_contest_find(desired, live, own, &c);
    FUZZ_CHECK(found == (c.field != NULL) && found == (c.manager != NULL));
    FUZZ_CHECK(fed_contest_find(desired, live, own, &again) == found);
    if (found) {
        check_names(&c);
        FUZZ_CHECK(strcmp(c.field, again.field) == 0 && strcmp(c.manager, again.manager) == 0);
    }
    FUZZ_CHECK(!found || has_duplicates(desired) || !json_equal(desired, live));
    fed_contest_done(&c);
    fed_contest_done(&again);
    return 0;
}
