/*
 * The webhook program: the admission server (api-and-cli.md 4, 5.2). Judges without asking anybody; an API server is needed only when
 * it keeps its own certificate (--cert-secret). Exit status: 0 after SIGINT (at once) or SIGTERM (when clients had time to go elsewhere:
 * DRAIN_MS), 1 for wrong flags, 255 when it cannot start; a second signal ends the process at once with 1.
 */
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/rtime.h"
#include "fed/names.h"
#include "flags.h"
#include "host.h"
#include "listener.h"
#include "logging.h"
#include "programs.h"
#include "sandbox.h"
#include "version.h"
#include "webhook/admit.h"
#include "webhook/cert_files.h"
#include "webhook/cert_secret.h"

/* An object of an API server has 3 MiB at most, and a review of an update holds two. */
#define MAX_REVIEW ((size_t)8 << 20)
/* For all connections together: the chart's memory limit follows from it. */
#define MAX_HELD ((size_t)24 << 20)
/* After SIGTERM: until every node has heard that there is one endpoint less, and then for requests that have begun. */
#define DRAIN_MS 3000u
#define FINISH_MS 2000u

struct webhook {
    int64_t port;
    const char *bind_address, *cert_dir, *cert_secret, *service, *validating, *mutating, *metrics_addr;
    struct host_options host;
    struct logging logging;
    bool help, version, seccomp;

    struct loop *loop;
    struct kube_client *client;
    char *ns, *address;
    struct cert_files *files;
    struct cert_secret *secret;
    struct admit admit;
    struct listener serving, metrics;
    bool listening;
    bool stopping, done;
    int status;
};

/* --- flags --- */

#define WEBHOOK_FLAGS(w)                                                                                                      \
    {                                                                                                                         \
        { .name = "bind-address",                                                                                             \
          .kind = FLAG_STRING,                                                                                                \
          .to = (void *)&(w)->bind_address,                                                                                   \
          .value = "string",                                                                                                  \
          .help = "IP address to serve on; empty: all" },                                                                     \
            { .name = "cert-dir",                                                                                             \
              .kind = FLAG_STRING,                                                                                            \
              .to = (void *)&(w)->cert_dir,                                                                                   \
              .value = "string",                                                                                              \
              .help = "folder with tls.crt and tls.key, read again when they\nchange; empty: "                                \
                      "<tmp>/k8s-webhook-server/serving-certs" },                                                             \
            { .name = "cert-secret",                                                                                          \
              .kind = FLAG_STRING,                                                                                            \
              .to = (void *)&(w)->cert_secret,                                                                                \
              .value = "string",                                                                                              \
              .help =                                                                                                         \
                  "Secret in which the webhook keeps certificates that it\nmakes and renews itself; instead of --cert-dir" }, \
            { .name = "help", .letter = 'h', .kind = FLAG_HELP, .to = &(w)->help, .help = "this text" },                      \
            { .name = "kubeconfig",                                                                                           \
              .kind = FLAG_STRING,                                                                                            \
              .to = (void *)&(w)->host.kubeconfig,                                                                            \
              .value = "string",                                                                                              \
              .help = "kubeconfig of the host cluster; empty: in-cluster" },                                                  \
            { .name = "kubefed-namespace",                                                                                    \
              .kind = FLAG_STRING,                                                                                            \
              .to = (void *)&(w)->host.system_namespace,                                                                      \
              .value = "string",                                                                                              \
              .help = "namespace of the control plane; empty: the pod's own" },                                               \
            LOGGING_FLAGS(&(w)->logging),                                                                                     \
            { .name = "master",                                                                                               \
              .kind = FLAG_STRING,                                                                                            \
              .to = (void *)&(w)->host.master,                                                                                \
              .check = host_check_master,                                                                                     \
              .value = "string",                                                                                              \
              .help = "URL of the host's API server, overrides the kubeconfig" },                                             \
            { .name = "metrics-addr",                                                                                         \
              .kind = FLAG_STRING,                                                                                            \
              .to = (void *)&(w)->metrics_addr,                                                                               \
              .value = "string",                                                                                              \
              .help = "address of /metrics; \"\" or 0: no listener (default \":8080\")" },                                    \
            { .name = "mutating-webhook-configuration",                                                                       \
              .kind = FLAG_STRING,                                                                                            \
              .to = (void *)&(w)->mutating,                                                                                   \
              .value = "string",                                                                                              \
              .help = "where --cert-secret announces its authority (default\n\"mutation.core.kubefed.io\")" },                \
            { .name = "seccomp",                                                                                              \
              .kind = FLAG_BOOL,                                                                                              \
              .to = &(w)->seccomp,                                                                                            \
              .help = "give up system calls that are never used (default true)" },                                            \
            { .name = "secure-port",                                                                                          \
              .kind = FLAG_INT,                                                                                               \
              .to = &(w)->port,                                                                                               \
              .max = 65535,                                                                                                   \
              .value = "int",                                                                                                 \
              .help = "port of HTTPS (default 8443)" },                                                                       \
            { .name = "service-name",                                                                                         \
              .kind = FLAG_STRING,                                                                                            \
              .to = (void *)&(w)->service,                                                                                    \
              .value = "string",                                                                                              \
              .help =                                                                                                         \
                  "Service through which API servers call, for\n--cert-secret (default \"kubefed-admission-webhook\")" },     \
            { .name = "validating-webhook-configuration",                                                                     \
              .kind = FLAG_STRING,                                                                                            \
              .to = (void *)&(w)->validating,                                                                                 \
              .value = "string",                                                                                              \
              .help = "like --mutating-webhook-configuration (default\n\"validations.core.kubefed.io\")" },                   \
            { .name = "version", .kind = FLAG_VERSION, .to = &(w)->version, .help = "print the version and exit" },           \
    }

static void usage(const struct flag *flags, size_t n)
{
    fputs("The KubeFed admission webhook: refuses what the controller manager could not work with, and fills in the\n"
          "defaults of a new KubeFedConfig.\n"
          "\n"
          "Usage:\n"
          "  webhook [flags]\n"
          "\n"
          "Examples:\n"
          "  # With certificates that it makes and renews itself (in a pod)\n"
          "  webhook --cert-secret=kubefed-admission-webhook-certificate\n"
          "  # With certificates that somebody else keeps\n"
          "  webhook --cert-dir=/var/serving-cert\n"
          "\n"
          "Flags:\n",
          stdout);
    flag_table_help(stdout, flags, n);
}

static int parse(struct webhook *w, int argc, char **argv)
{
    struct flag flags[] = WEBHOOK_FLAGS(w);
    _cleanup_error_ struct error *err = NULL;
    int r = flag_table_parse(flags, ARRAY_SIZE(flags), argc, argv, &err);

    if (r == FLAGS_HELP)
        usage(flags, ARRAY_SIZE(flags));
    if (r == FLAGS_VERSION)
        version_print("webhook", false);
    if (r == 0 && w->cert_dir[0] && w->cert_secret[0])
        r = error_set(&err, -EINVAL, "--cert-dir and --cert-secret exclude each other");
    if (r < 0)
        fprintf(stderr, "Error: %s\nRun 'webhook --help' for usage.\n", error_msg(err));
    return r == 0 ? -1 : r < 0 ? 1 : 0;
}

/* --- serving --- */

static void finish(struct webhook *w, int status)
{
    w->status = status;
    w->done = true;
    loop_stop(w->loop);
}

static void serve_metrics(void *arg, const struct http_server_request *req, struct http_server_response *resp)
{
    struct webhook *w = arg;

    resp->content_type = "text/plain; version=0.0.4; charset=utf-8";
    resp->status = str_eqc(req->path, "/metrics") ? 200 : 404;
    if (resp->status == 404) {
        buf_addz(&resp->body, "404 page not found\n");
        return;
    }
    admit_metrics(&w->admit, &resp->body);
}

static void on_certificate(void *arg, struct tls_server *tls, int64_t valid_until)
{
    struct webhook *w = arg;
    _cleanup_error_ struct error *err = NULL;

    if (valid_until <= time_wall_s())
        log_warning("The serving certificate has expired: API servers will refuse it");
    w->admit.certificate_until = valid_until;
    listener_set_tls(&w->serving, tls);
    if (w->listening)
        return;
    w->listening = true;
    listener_limit(&w->serving, MAX_HELD);
    if (listener_start(&w->serving, w->loop, "admission requests", w->address, MAX_REVIEW, admit_serve, &w->admit,
                       &err) < 0) {
        log_line(LOG_FATAL, LOG_FILE_NAME, __LINE__, "%s", error_msg(err));
        finish(w, 255);
    }
}

static const char *unready(void *arg)
{
    const struct webhook *w = arg;

    if (w->stopping)
        return "shutdown failed: this webhook is ending";
    if (w->admit.certificate_until <= time_wall_s())
        return "certificate failed: it has expired, and API servers refuse it";
    if (w->secret && !cert_secret_ready(w->secret))
        return "certificate failed: the API server does not trust it yet";
    return NULL;
}

/* --- start --- */

static void on_drained(void *arg)
{
    finish(arg, 0);
}

static void on_signal(void *arg, int signum)
{
    struct webhook *w = arg;

    if (w->stopping)
        _exit(1);
    w->stopping = true;
    if (signum == SIGTERM && w->listening) {
        log_info("Received SIGTERM, shutting down in %u s", DRAIN_MS / 1000);
        listener_drain(&w->serving, DRAIN_MS, FINISH_MS, on_drained, w);
        return;
    }
    log_info("Received %s, shutting down", signum == SIGINT ? "SIGINT" : "SIGTERM");
    finish(w, 0);
}

static int start_certificates(struct webhook *w, const struct kube_config *host, struct error **err)
{
    const char *tmp = getenv("TMPDIR");
    _cleanup_free_ char *fallback = mem_printf("%s/k8s-webhook-server/serving-certs", tmp && tmp[0] ? tmp : "/tmp");

    if (!w->cert_secret[0])
        return cert_files_start(w->loop, w->cert_dir[0] ? w->cert_dir : fallback, on_certificate, w, &w->files, err);
    int r = host_connect(&w->host, host, w->loop, "webhook", &w->client, &w->ns, err);
    if (r < 0)
        return r;
    w->secret = cert_secret_start(&(struct cert_secret_config){ .client = w->client,
                                                                .ns = w->ns,
                                                                .secret = w->cert_secret,
                                                                .service = w->service,
                                                                .validating = w->validating,
                                                                .mutating = w->mutating,
                                                                .fn = on_certificate,
                                                                .arg = w });
    return 0;
}

static void limit_rights(const struct webhook *w, const struct kube_config *host)
{
    _cleanup_error_ struct error *err = NULL;

    if (w->seccomp && host_limit_rights(host, &err) < 0)
        log_warning("%s", error_msg(err));
}

static int start(struct webhook *w, struct error **err)
{
    _cleanup_kube_config_ struct kube_config *host = NULL;
    int r = w->cert_secret[0] ? host_load(&w->host, &host, err) : 0;

    if (r < 0)
        return r;
    limit_rights(w, host);
    r = loop_new(&w->loop, err);
    if (r == 0)
        r = loop_signal(w->loop, SIGINT, on_signal, w, err);
    if (r == 0)
        r = loop_signal(w->loop, SIGTERM, on_signal, w, err);
    if (r == 0)
        r = listener_start(&w->metrics, w->loop, "metrics", w->metrics_addr, 4096, serve_metrics, w, err);
    if (r == 0)
        r = start_certificates(w, host, err);
    return r;
}

static void clean_up(struct webhook *w)
{
    cert_files_free(w->files);
    cert_secret_free(w->secret);
    listener_stop(&w->serving);
    listener_stop(&w->metrics);
    kube_client_free(w->client);
    loop_free(w->loop);
    free(w->ns);
    free(w->address);
}

int webhook_main(int argc, char **argv)
{
    struct webhook w = { .port = 8443,
                         .bind_address = "",
                         .cert_dir = "",
                         .cert_secret = "",
                         .service = "kubefed-admission-webhook",
                         .validating = "validations.core.kubefed.io",
                         .mutating = "mutation.core.kubefed.io",
                         .metrics_addr = ":8080",
                         .seccomp = true };
    _cleanup_error_ struct error *err = NULL;
    int status = parse(&w, argc, argv);

    if (status >= 0)
        return status;
    mallopt(M_ARENA_MAX, 1);
    sandbox_hide_memory();
    signal(SIGPIPE, SIG_IGN);
    logging_start(&w.logging);
    version_print("webhook", w.logging.json);
    w.admit = (struct admit){ .unready = unready, .arg = &w };
    w.address = mem_printf(strchr(w.bind_address, ':') ? "[%s]:%lld" : "%s:%lld", w.bind_address, (long long)w.port);
    if (start(&w, &err) < 0) {
        log_line(LOG_FATAL, LOG_FILE_NAME, __LINE__, "%s", error_msg(err));
        w.status = 255;
    } else if (!w.done) {
        loop_run(w.loop, &w.done);
    }
    clean_up(&w);
    return w.status;
}
