/* Where the control plane's settings come from: the KubeFedConfig object or a file (controllers.md 1.3). */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "controllers/manager.h"
#include "json/yaml.h"
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
    log_info("Using valid KubeFedConfig \"%s/kubefed\"", ns);
    *ret = config;
    return 0;
}

static int decode_text(struct str text, const char *ns, struct fed_config **ret, struct error **err)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    int r = json_parse(text, &doc, err);
    return r < 0 ? r : decode(yyjson_doc_get_root(doc), ns, ret, err);
}

/* Nobody may have installed the mutating webhook: the object is created complete. */
static int create_default(struct kube_client *host, const char *ns, struct fed_config **ret, struct error **err)
{
    const char *scope = getenv("DEFAULT_KUBEFED_SCOPE");
    log_info("Creating KubeFedConfig \"%s/kubefed\" with default values", ns);
    _cleanup_json_mut_ yyjson_mut_doc *doc = fed_config_default_object(ns, scope && scope[0] ? scope : "Cluster");
    _cleanup_buf_ struct buf body = BUF_INIT(MAX_CONFIG_FILE), answer = BUF_INIT(BUF_MAX_DEFAULT);
    json_mut_write(&body, yyjson_mut_doc_get_root(doc));
    _cleanup_free_ char *path = kube_path(&config_resource, str_of(ns), STR_NULL, STR_NULL);
    struct kube_request req = { .method = "POST", .path = str_of(path), .body = buf_str(&body) };
    int r = kube_do(host, &req, &answer, NULL, err);
    if (r < 0) {
        error_wrap(err, "Error creating KubeFedConfig \"%s/kubefed\"", ns);
        return r;
    }
    return decode_text(buf_str(&answer), ns, ret, err);
}

int manager_load_config(struct kube_client *host, const char *ns, struct fed_config **ret, struct error **err)
{
    _cleanup_free_ char *path = kube_path(&config_resource, str_of(ns), STR("kubefed"), STR_NULL);
    _cleanup_buf_ struct buf body = BUF_INIT(BUF_MAX_DEFAULT);
    struct kube_request req = { .method = "GET", .path = str_of(path) };
    _cleanup_error_ struct error *e = NULL;
    int r = kube_do(host, &req, &body, NULL, &e);
    if (r == 0)
        return decode_text(buf_str(&body), ns, ret, err);
    if (error_is_reason(e, "NotFound"))
        return create_default(host, ns, ret, err);
    if (r == -ENOENT)
        return error_set(err, r,
                         "Error retrieving KubeFedConfig \"%s/kubefed\": %s (are the CRDs of core.kubefed.io "
                         "installed?)",
                         ns, error_msg(e));
    return error_set(err, r, "Error retrieving KubeFedConfig \"%s/kubefed\": %s", ns, error_msg(e));
}

static int read_file(const char *path, struct buf *out, struct error **err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set(err, -errno, "%s", strerror(errno));
    int r = 0;
    char chunk[4096];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            r = error_set(err, -errno, "%s", strerror(errno));
        if (n <= 0)
            break;
        if (buf_add(out, chunk, (size_t)n) < 0) {
            r = error_set(err, -EFBIG, "it is larger than %zu bytes", MAX_CONFIG_FILE);
            break;
        }
    }
    close(fd);
    return r;
}

int manager_load_config_file(const char *path, const char *ns, struct fed_config **ret, struct error **err)
{
    _cleanup_buf_ struct buf text = BUF_INIT(MAX_CONFIG_FILE);
    int r = read_file(path, &text, err);
    if (r < 0) {
        error_wrap(err, "Cannot open KubeFedConfig from file \"%s\"", path);
        return r;
    }
    _cleanup_json_ yyjson_doc *doc = NULL;
    r = yaml_parse(buf_str(&text), &doc, err);
    if (r < 0) {
        error_wrap(err, "Cannot decode KubeFedConfig from file \"%s\"", path);
        return r;
    }
    return decode(yyjson_doc_get_root(doc), ns, ret, err);
}
