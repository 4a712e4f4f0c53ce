/* See config_watch.h. */
#include "controllers/config_watch.h"

#include <stdlib.h>

#include "base/log.h"
#include "controllers/manager.h"
#include "fed/names.h"
#include "kube/informer.h"

#define LOOK_MS 5000u /* of a file */

struct config_watch {
    struct config_watch_config config;
    char *ns, *file;
    struct fed_config *current;
    struct kube_informer *informer;
    struct loop_timer timer;
    uint64_t seen; /* hash of the complaint that was told last */
    uint64_t read; /* hash of what the file held, or why it could not be read, in the last look */
};

static const struct kube_resource resource = { STR(FED_CORE_GROUP), STR(FED_CORE_VERSION), STR("kubefedconfigs"),
                                               true };

static void bad(struct config_watch *w, const char *why)
{
    uint64_t hash = str_hash(str_of(why));

    if (hash == w->seen)
        return;
    w->seen = hash;
    log_error("The last good KubeFedConfig stays in force: %s", why);
    w->config.on_bad(w->config.arg, true);
}

static void good(struct config_watch *w, struct fed_config *config)
{
    if (w->seen) {
        w->seen = 0;
        w->config.on_bad(w->config.arg, false);
    }
    if (fed_config_equal(w->current, config)) {
        fed_config_free(config);
        return;
    }
    log_info("KubeFedConfig \"%s/kubefed\" changed", w->ns);
    fed_config_free(w->current);
    w->current = fed_config_copy(config);
    w->config.on_change(w->config.arg, config);
}

/* --- the object --- */

static void on_object(void *arg, struct kube_object *old, struct kube_object *now)
{
    struct config_watch *w = arg;
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_error_ struct error *err = NULL;
    struct fed_config *config = NULL;

    (void)old;
    if (!now) {
        bad(w, "it was deleted");
        return;
    }
    if (json_parse(kube_object_body(now), &doc, &err) < 0 ||
        fed_config_decode(yyjson_doc_get_root(doc), &config, &err) < 0)
        bad(w, error_msg(err));
    else
        good(w, config);
}

static void on_state(void *arg, enum kube_informer_state state, const struct error *err)
{
    (void)arg;
    (void)state;
    if (err)
        log_warning("Changes of the KubeFedConfig cannot be noticed: %s", error_msg(err));
}

/* --- a file --- */

/* Who writes into a file in place, and not beside it, is not done at the first look that finds something new: only what two looks
 * running find alike counts. */
static bool is_steady(struct config_watch *w, uint64_t hash)
{
    bool same = w->read == hash;

    w->read = hash;
    return same;
}

static void look(void *arg)
{
    struct config_watch *w = arg;
    _cleanup_error_ struct error *err = NULL;
    _cleanup_buf_ struct buf text = { 0 };
    struct fed_config *config = NULL;
    int r;

    loop_timer_start(kube_client_loop(w->config.host), &w->timer, w->config.look_ms, look, w);
    r = manager_read_config_file(w->file, &text, &err);
    if (!is_steady(w, r < 0 ? str_hash(str_of(error_msg(err))) : str_hash(buf_str(&text))))
        return;
    if (r == 0)
        r = manager_decode_config_file(buf_str(&text), w->file, w->ns, &config, &err);
    if (r < 0)
        bad(w, error_msg(err));
    else
        good(w, config);
}

/* --- life --- */

static void watch_object(struct config_watch *w)
{
    _cleanup_free_ char *path = kube_path(&resource, str_of(w->ns), STR_NULL, STR_NULL);

    w->informer = kube_informer_start(
        &(struct kube_informer_config){ .client = w->config.host,
                                        .path = path,
                                        .field_selector = "metadata.name=" FED_CONFIG_NAME,
                                        .newest = true, /* not older than what was loaded */
                                        .on_change = on_object,
                                        .on_state = on_state,
                                        .arg = w });
}

struct config_watch *config_watch_start(const struct config_watch_config *config)
{
    struct config_watch *w = mem_zalloc(sizeof(*w));

    w->config = *config;
    w->config.look_ms = config->look_ms ? config->look_ms : LOOK_MS;
    w->ns = mem_strdup(config->system_namespace);
    w->file = mem_strdup(config->file);
    w->current = fed_config_copy(config->current);
    if (w->file)
        loop_timer_start(kube_client_loop(config->host), &w->timer, w->config.look_ms, look, w);
    else
        watch_object(w);
    return w;
}

void config_watch_free(struct config_watch *w)
{
    if (!w)
        return;
    loop_timer_stop(&w->timer);
    kube_informer_stop(w->informer);
    fed_config_free(w->current);
    free(w->ns);
    free(w->file);
    free(w);
}
