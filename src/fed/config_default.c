/*
 * What a KubeFedConfig leaves out (api-and-cli.md 4.5): as a whole object, and as a JSON patch of what is missing in one
 * . Both are made from the table of config.c.
 */
#include "base/rtime.h"
#include "fed/config_internal.h"
#include "fed/names.h"

/* --- values --- */

static const char *mode(bool enabled)
{
    return enabled ? FED_ENABLED : FED_DISABLED;
}

static yyjson_mut_val *new_field(yyjson_mut_doc *doc, const struct fed_config_field *f)
{
    char text[32];

    switch (f->kind) {
    case FED_CONFIG_DURATION: duration_format(f->initial, text); return json_mut_new_str(doc, str_of(text));
    case FED_CONFIG_SWITCH: return json_mut_new_str(doc, str_of(mode(f->initial)));
    case FED_CONFIG_LOCK: return json_mut_new_str(doc, str_of(fed_config_locks[f->initial]));
    case FED_CONFIG_COUNT: break;
    }
    return yyjson_mut_sint(doc, f->initial);
}

static yyjson_mut_val *new_section(yyjson_mut_doc *doc, const char *name)
{
    yyjson_mut_val *section = yyjson_mut_obj(doc);

    for (size_t i = 0; i < ARRAY_SIZE(fed_config_fields); i++)
        if (strcmp(fed_config_fields[i].section, name) == 0)
            json_mut_set(doc, section, fed_config_fields[i].name, new_field(doc, &fed_config_fields[i]));
    return section;
}

static yyjson_mut_val *new_gate(yyjson_mut_doc *doc, const struct fed_config_gate *g)
{
    yyjson_mut_val *gate = yyjson_mut_obj(doc);

    json_mut_set_str(doc, gate, "name", str_of(g->name));
    json_mut_set_str(doc, gate, "configuration", str_of(mode(g->initial)));
    return gate;
}

static yyjson_mut_val *new_gates(yyjson_mut_doc *doc)
{
    yyjson_mut_val *list = yyjson_mut_arr(doc);

    for (size_t i = 0; i < ARRAY_SIZE(fed_config_gates); i++)
        yyjson_mut_arr_append(list, new_gate(doc, &fed_config_gates[i]));
    return list;
}

/* Everything but the scope, which has no default. */
static void fill_spec(yyjson_mut_doc *doc, yyjson_mut_val *spec)
{
    for (size_t i = 0; i < ARRAY_SIZE(fed_config_sections); i++)
        json_mut_set(doc, spec, fed_config_sections[i], new_section(doc, fed_config_sections[i]));
    json_mut_set(doc, spec, "featureGates", new_gates(doc));
}

yyjson_mut_doc *fed_config_default_object(const char *ns, const char *scope)
{
    yyjson_mut_doc *doc = json_mut_doc_new();
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc), *metadata, *spec;

    json_mut_set_str(doc, root, "apiVersion", STR(FED_CORE_API_VERSION));
    json_mut_set_str(doc, root, "kind", STR(FED_CONFIG_KIND));
    metadata = json_mut_ensure_obj(doc, root, "metadata");
    json_mut_set_str(doc, metadata, "name", STR(FED_CONFIG_NAME));
    json_mut_set_str(doc, metadata, "namespace", str_of(ns));
    spec = json_mut_ensure_obj(doc, root, "spec");
    json_mut_set_str(doc, spec, "scope", str_of(scope));
    fill_spec(doc, spec);
    return doc;
}

/* --- the patch --- */

struct patch {
    yyjson_mut_doc *doc; /* root: the list of operations */
    yyjson_mut_val *list;
};

static bool is_absent(yyjson_val *v)
{
    return !v || yyjson_is_null(v);
}

/* No name here has a character that a JSON pointer escapes. */
static void add(struct patch *p, const char *path, yyjson_mut_val *value)
{
    yyjson_mut_val *op = yyjson_mut_obj(p->doc);

    json_mut_set_str(p->doc, op, "op", STR("add"));
    json_mut_set_str(p->doc, op, "path", str_of(path));
    json_mut_set(p->doc, op, "value", value);
    yyjson_mut_arr_append(p->list, op);
}

static void patch_section(struct patch *p, yyjson_val *spec, const char *name)
{
    yyjson_val *section = json_get(spec, name);
    char path[96];

    if (is_absent(section)) {
        snprintf(path, sizeof(path), "/spec/%s", name);
        add(p, path, new_section(p->doc, name));
        return;
    }
    if (!yyjson_is_obj(section))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(fed_config_fields); i++) {
        const struct fed_config_field *f = &fed_config_fields[i];

        if (strcmp(f->section, name) != 0 || !is_absent(json_get(section, f->name)))
            continue;
        snprintf(path, sizeof(path), "/spec/%s/%s", name, f->name);
        add(p, path, new_field(p->doc, f));
    }
}

static bool has_gate(yyjson_val *list, const struct fed_config_gate *g)
{
    yyjson_val *item;
    size_t i, n;

    yyjson_arr_foreach(list, i, n, item) if (str_eqc(json_path_str(item, "name"), g->name)) return true;
    return false;
}

static void patch_gates(struct patch *p, yyjson_val *spec)
{
    yyjson_val *list = json_get(spec, "featureGates");

    if (is_absent(list))
        add(p, "/spec/featureGates", new_gates(p->doc));
    if (!yyjson_is_arr(list))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(fed_config_gates); i++)
        if (!has_gate(list, &fed_config_gates[i]))
            add(p, "/spec/featureGates/-", new_gate(p->doc, &fed_config_gates[i]));
}

static void patch_object(struct patch *p, yyjson_val *object)
{
    yyjson_val *spec = json_get(object, "spec");

    if (is_absent(spec)) {
        yyjson_mut_val *value = yyjson_mut_obj(p->doc);

        fill_spec(p->doc, value);
        add(p, "/spec", value);
    }
    if (!yyjson_is_obj(spec))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(fed_config_sections); i++)
        patch_section(p, spec, fed_config_sections[i]);
    patch_gates(p, spec);
}

bool fed_config_default_patch(yyjson_val *object, struct buf *out)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_new();
    struct patch p = { doc, yyjson_mut_arr(doc) };

    if (!yyjson_is_obj(object))
        return false;
    patch_object(&p, object);
    if (yyjson_mut_arr_size(p.list) == 0)
        return false;
    json_mut_write(out, p.list);
    return true;
}
