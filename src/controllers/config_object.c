/* Where the control plane's settings come from: the KubeFedConfig object or a file (controllers.md 1.3). */
#include <stdlib.h>

#include "base/log.h"
#include "controllers/manager.h"
#include "fed/names.h"
#include "json/yaml.h"
#include "kube/file.h"
#include "kube/path.h"

#define MAX_CONFIG_FILE ((size_t)1 << 20)

static const struct kube_resource config_resource = { STR("core.kubefed.io"), STR("v1beta1"), STR("kubefedconfigs"),
                                                      true };

static int decode(yyjson_val *root, const char *ns, struct fed_config **ret, struct error **err)
{
    struct fed_config *config = NULL;
    int r = fed_config_decode(root, &config, err);
    if (r < 0) {
        error_wrap(err, "Error: invalid KubeFedConfig \"%s/kubefed\"", ns);
        return r;
    }
    *ret = config;
    return 0;
}

static int decode_answer(struct str text, const char *ns, struct fed_config **ret, struct error **err)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    int r = json_parse(text, &doc, err);
    if (r < 0)
        return error_wrap(err, "Error retrieving KubeFedConfig \"%s/kubefed\": the answer is not JSON", ns);
    return decode(yyjson_doc_get_root(doc), ns, ret, err);
}

/* --- the scope of a new one --- */

/* Checked also when it is not used: an error in it must not wait for the day on which it is. */
static int read_default_scope(const char **ret, struct error **err)
{
    const char *scope = getenv("DEFAULT_KUBEFED_SCOPE");
    *ret = scope && scope[0] ? scope : NULL;
    if (*ret && strcmp(scope, FED_SCOPE_CLUSTER) != 0 && strcmp(scope, FED_SCOPE_NAMESPACED) != 0)
        return error_set(err, -EINVAL, "DEFAULT_KUBEFED_SCOPE is \"%.64s\": want Cluster or Namespaced", scope);
    return 0;
}

static void compare_scope(const struct fed_config *config, const char *scope, const char *ns)
{
    const char *there = config->namespaced ? FED_SCOPE_NAMESPACED : FED_SCOPE_CLUSTER;
    if (scope && strcmp(scope, there) != 0)
        log_warning(
            "DEFAULT_KUBEFED_SCOPE is \"%s\", but is for a new KubeFedConfig only: \"%s/kubefed\" has spec.scope "
            "\"%s\", which stays",
            scope, ns, there);
}

/* --- the object --- */

static int get_config(struct kube_client *host, const char *ns, struct buf *ret, struct error **err)
{
    _cleanup_free_ char *path = kube_path(&config_resource, str_of(ns), STR("kubefed"), STR_NULL);
    struct kube_request req = { .method = "GET", .path = str_of(path) };
    return kube_do(host, &req, ret, NULL, err);
}

/* Nobody may have installed the mutating webhook: the object is created complete. */
static int create_default(struct kube_client *host, const char *ns, const char *scope, struct buf *ret,
                          struct error **err)
{
    log_info("Creating KubeFedConfig \"%s/kubefed\" with default values", ns);
    _cleanup_json_mut_ yyjson_mut_doc *doc = fed_config_default_object(ns, scope ? scope : FED_SCOPE_CLUSTER);
    _cleanup_buf_ struct buf body = BUF_INIT(MAX_CONFIG_FILE);
    json_mut_write(&body, yyjson_mut_doc_get_root(doc));
    _cleanup_free_ char *path = kube_path(&config_resource, str_of(ns), STR_NULL, STR_NULL);
    struct kube_request req = { .method = "POST", .path = str_of(path), .body = buf_str(&body) };
    int r = kube_do(host, &req, ret, NULL, err);
    if (r == -EEXIST) { /* another replica, or somebody, was faster */
        log_info("KubeFedConfig \"%s/kubefed\" was created meanwhile", ns);
        error_free(*err);
        *err = NULL;
        r = get_config(host, ns, ret, err);
        return r < 0 ? error_wrap(err, "Error retrieving KubeFedConfig \"%s/kubefed\"", ns) : 0;
    }
    return r < 0 ? error_wrap(err, "Error creating KubeFedConfig \"%s/kubefed\"", ns) : 0;
}

static int get_or_create(struct kube_client *host, const char *ns, const char *scope, struct buf *ret,
                         struct error **err)
{
    _cleanup_error_ struct error *e = NULL;
    int r = get_config(host, ns, ret, &e);
    if (error_is_reason(e, "NotFound")) {
        error_free(TAKE_PTR(e));
        r = create_default(host, ns, scope, ret, &e);
    } else if (r < 0) { /* -ENOENT without that reason: the path itself is unknown there */
        error_wrap(&e, "Error retrieving KubeFedConfig \"%s/kubefed\"", ns);
    }
    if (r == -ENOENT && !error_is_reason(e, "NotFound"))
        return error_set(err, r, "%s (are the CRDs of core.kubefed.io installed?)", error_msg(e));
    return r < 0 ? error_set(err, r, "%s", error_msg(e)) : 0;
}

int manager_load_config(struct kube_client *host, const char *ns, struct fed_config **ret, struct error **err)
{
    _cleanup_buf_ struct buf body = BUF_INIT(BUF_MAX_DEFAULT);
    const char *scope;
    int r = read_default_scope(&scope, err);
    if (r == 0)
        r = get_or_create(host, ns, scope, &body, err);
    if (r == 0)
        r = decode_answer(buf_str(&body), ns, ret, err);
    if (r == 0)
        compare_scope(*ret, scope, ns);
    return r;
}

/* --- a file --- */

int manager_read_config_file(const char *path, struct buf *ret, struct error **err)
{
    int r = kube_file_read(path, MAX_CONFIG_FILE, ret, err);
    return r < 0 ? error_wrap(err, "Cannot open KubeFedConfig from file \"%s\"", path) : 0;
}

/* Nobody writes defaults into a file as the webhook does into an object, and one that is cut off must not pass for one that
 * says less: it has to be complete. */
static int decode_complete(yyjson_val *root, const char *ns, struct fed_config **ret, struct error **err)
{
    int r = fed_config_validate(root, NULL, err);
    if (r < 0)
        return error_wrap(err, "Error: invalid KubeFedConfig \"%s/kubefed\"", ns);
    return decode(root, ns, ret, err);
}

int manager_decode_config_file(struct str text, const char *path, const char *ns, struct fed_config **ret,
                               struct error **err)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    int r = yaml_parse(text, &doc, err);
    if (r < 0)
        return error_wrap(err, "Cannot decode KubeFedConfig from file \"%s\"", path);
    return decode_complete(yyjson_doc_get_root(doc), ns, ret, err);
}

int manager_load_config_file(const char *path, const char *ns, struct fed_config **ret, struct error **err)
{
    _cleanup_buf_ struct buf text = { 0 };
    int r = manager_read_config_file(path, &text, err);
    return r < 0 ? r : manager_decode_config_file(buf_str(&text), path, ns, ret, err);
}
