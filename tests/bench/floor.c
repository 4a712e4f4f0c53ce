/*
 * The floor under propagation latency: watches FederatedConfigMaps of one namespace on the host and POSTs the ConfigMap to
 * every member on each new one. No status, no bookkeeping, no cache.
 *
 *   floor KUBECONFIG NAMESPACE HOST-CONTEXT MEMBER-CONTEXT...
 *
 * Prints "ready" when the watch is open; ends with its standard input.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "json/json.h"
#include "kube/client.h"
#include "kube/watch.h"

#define MAX_MEMBERS 8

static struct loop *loop;
static struct kube_client *host, *members[MAX_MEMBERS];
static size_t n_members;
static const char *ns;
static struct watch_decoder decoder;

static void die(const char *what, const struct error *err)
{
    fprintf(stderr, "floor: %s: %s\n", what, error_msg(err));
    exit(1);
}

static struct kube_client *client_of(const char *kubeconfig, const char *context)
{
    struct kube_config_source source = { .kubeconfig = kubeconfig, .context = context };
    _cleanup_kube_config_ struct kube_config *config = NULL;
    _cleanup_error_ struct error *err = NULL;
    struct kube_client *c = NULL;

    if (kube_config_load(&source, &config, &err) < 0 ||
        kube_client_new(config, &(struct kube_client_options){ .loop = loop }, &c, &err) < 0)
        die(context, err);
    return c;
}

static void on_posted(void *arg, const struct kube_response *resp, const struct error *err)
{
    (void)arg;
    (void)resp;
    if (err)
        die("POST", err);
}

static int on_event(void *arg, enum watch_type type, yyjson_val *object)
{
    static const struct kube_resource res = { STR(""), STR("v1"), STR("configmaps"), true };
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_new();
    _cleanup_free_ char *path = kube_path(&res, str_of(ns), STR_NULL, STR_NULL);
    _cleanup_buf_ struct buf body = BUF_INIT(BUF_MAX_DEFAULT);
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);

    (void)arg;
    if (type != WATCH_ADDED)
        return 0;
    json_mut_set_str(doc, root, "apiVersion", STR("v1"));
    json_mut_set_str(doc, root, "kind", STR("ConfigMap"));
    json_mut_set_str(doc, json_mut_ensure_obj(doc, root, "metadata"), "name", json_path_str(object, "metadata.name"));
    json_mut_set(doc, root, "data", json_mut_copy(doc, json_path(object, "spec.template.data")));
    json_mut_write(&body, root);
    struct kube_request req = { .method = "POST", .path = str_of(path), .body = buf_str(&body) };
    for (size_t i = 0; i < n_members; i++)
        kube_call(members[i], &req, on_posted, NULL);
    return 0;
}

static bool on_data(void *arg, struct str bytes)
{
    (void)arg;
    return watch_feed(&decoder, bytes, on_event, NULL, NULL) == 0;
}

static void on_watch_done(void *arg, const struct kube_response *resp, const struct error *err)
{
    (void)arg;
    (void)resp;
    die("watch", err);
}

static void on_listed(void *arg, const struct kube_response *resp, const struct error *err)
{
    static const struct kube_resource res = { STR("types.kubefed.io"), STR("v1beta1"), STR("federatedconfigmaps"),
                                              true };
    static const struct kube_stream_handlers handlers = { on_data, on_watch_done };
    _cleanup_free_ char *path = kube_path(&res, str_of(ns), STR_NULL, STR_NULL), *query = NULL;
    _cleanup_json_ yyjson_doc *doc = NULL;
    struct str version;

    (void)arg;
    if (err || json_parse(resp->body, &doc, NULL) < 0)
        die("list", err);
    version = json_path_str(yyjson_doc_get_root(doc), "metadata.resourceVersion");
    query = mem_printf("watch=true&resourceVersion=%" PRIstr, STRARG(version));
    struct kube_request req = { .method = "GET", .path = str_of(path), .query = str_of(query), .timeout_ms = 3600000 };
    watch_init(&decoder, 0);
    kube_stream(host, &req, 0, &handlers, NULL);
    puts("ready");
    fflush(stdout);
}

static void on_stdin(void *arg, int events)
{
    (void)events;
    exit(*(const int *)arg);
}

int main(int argc, char **argv)
{
    static const struct kube_resource res = { STR("types.kubefed.io"), STR("v1beta1"), STR("federatedconfigmaps"),
                                              true };
    static const int status = 0;
    _cleanup_error_ struct error *err = NULL;
    struct loop_io *io = NULL;

    if (argc < 5 || argc - 4 > MAX_MEMBERS) {
        fprintf(stderr, "usage: floor KUBECONFIG NAMESPACE HOST-CONTEXT MEMBER-CONTEXT...\n");
        return 2;
    }
    if (loop_new(&loop, &err) < 0 ||
        loop_io_new(loop, STDIN_FILENO, on_stdin, (void *)(uintptr_t)&status, &io, &err) < 0)
        die("loop", err);
    loop_io_watch(io, LOOP_READ);
    ns = argv[2];
    host = client_of(argv[1], argv[3]);
    for (int i = 4; i < argc; i++)
        members[n_members++] = client_of(argv[1], argv[i]);
    _cleanup_free_ char *path = kube_path(&res, str_of(ns), STR_NULL, STR_NULL);
    struct kube_request req = { .method = "GET", .path = str_of(path), .query = STR("limit=1") };
    kube_call(host, &req, on_listed, NULL);
    loop_run(loop, NULL);
    return 0;
}
