/*
 * The controller-manager program: flags, configuration, leader election, signals, health and metrics listeners.
 * Exit status: 0 after SIGINT or SIGTERM (the lock is released, Q-04), 1 for errors and a lost lease, 255 for a broken
 * configuration; a second signal ends the process at once with 1.
 */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/rtime.h"
#include "controllers/config_watch.h"
#include "controllers/insight.h"
#include "controllers/manager.h"
#include "fed/names.h"
#include "flags.h"
#include "host.h"
#include "kube/lease.h"
#include "leadership.h"
#include "listener.h"
#include "local_request.h"
#include "logging.h"
#include "programs.h"
#include "sandbox.h"
#include "version.h"

struct options {
    struct host_options host;
    const char *config_file, *healthz_addr, *metrics_addr, *lock, *insight;
    bool warm_standby, seccomp;
    struct logging logging;
    struct fed_behavior behavior;
    double qps;
    int64_t burst;
    bool help, version;
};

/* When the start-up of a leader is over, long before it matters. */
#define SETTLE_MS 5000u
/* And again, since a rush leaves free memory behind. */
#define GIVE_BACK_MS 60000u
/* How long the end waits for the event that says so. */
#define FLUSH_MS 1000u
#define FLUSH_STEP_MS 10u

struct program {
    struct options options;
    struct loop *loop;
    struct kube_client *host;
    struct fed_config *config;
    char *system_namespace;
    char *identity;
    struct lease *lease; /* NULL when leadership.electing is not set */
    struct leadership leadership;
    struct manager *manager;
    struct config_watch *watch;
    struct fed_config *next; /* settings that are to take the place of `config` */
    struct loop_task reconfigure;
    bool config_is_bad;
    struct listener health, metrics;
    struct loop_timer settled, flush;
    uint64_t flush_ends_ms;        /* 0: not begun */
    struct event_recorder *events; /* of the election; those of the controllers are the manager's */
    bool stopping;
    bool done;
    int status;
};

/* --- flags --- */

static int parse_behavior(void *to, struct str value, struct error **err)
{
    return fed_behavior_parse(value, to, err);
}

static int parse_orphan_after(void *to, struct str value, struct error **err)
{
    return fed_orphan_after_parse(value, &((struct fed_behavior *)to)->orphan_unreachable_after_s, err);
}

static int parse_insight(void *to, struct str value, struct error **err)
{
    static const char *const values[] = { "none", "local", "all" };

    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        if (str_eqc(value, values[i])) {
            *(const char **)to = values[i];
            return 0;
        }
    }
    return error_set(err, -EINVAL, "want none, local or all");
}

/* What the KubeFedConfig cannot say (its values are those of KubeFed): Leases, which newer tools look at. */
static int parse_lock(void *to, struct str value, struct error **err)
{
    static const char *const locks[] = { "", "configmaps", "endpoints", "leases" };

    for (size_t i = 0; i < ARRAY_SIZE(locks); i++) {
        if (str_eqc(value, locks[i])) {
            *(const char **)to = locks[i];
            return 0;
        }
    }
    return error_set(err, -EINVAL, "want configmaps, endpoints or leases");
}

#define MANAGER_FLAGS(o)                                                                                                        \
    {                                                                                                                           \
        { .name = "behavior",                                                                                                   \
          .kind = FLAG_CUSTOM,                                                                                                  \
          .to = &(o)->behavior,                                                                                                 \
          .parse = parse_behavior,                                                                                              \
          .value = "NAME=BOOL,...",                                                                                             \
          .help = "switches between corrected behavior and that of KubeFed\nv0.9.2; may be repeated; an unknown name "          \
                  "prints all\n(docs/propagation.md)" },                                                                        \
            { .name = "healthz-addr",                                                                                           \
              .kind = FLAG_STRING,                                                                                              \
              .to = (void *)&(o)->healthz_addr,                                                                                 \
              .value = "string",                                                                                                \
              .help = "address of /healthz; \"\" or 0: no listener (default\n\":8080\")" },                                     \
            { .name = "help", .letter = 'h', .kind = FLAG_HELP, .to = &(o)->help, .help = "this text" },                        \
            { .name = "insight",                                                                                                \
              .kind = FLAG_CUSTOM,                                                                                              \
              .to = (void *)&(o)->insight,                                                                                      \
              .parse = parse_insight,                                                                                           \
              .value = "string",                                                                                                \
              .help =                                                                                                           \
                  "who may read /debug/ of the health port: none, local (this\nmachine, kubectl port-forward) or all (default " \
                  "local)" },                                                                                                   \
            { .name = "kubeconfig",                                                                                             \
              .kind = FLAG_STRING,                                                                                              \
              .to = (void *)&(o)->host.kubeconfig,                                                                              \
              .value = "string",                                                                                                \
              .help = "kubeconfig of the host cluster; empty: in-cluster\ncredentials" },                                       \
            { .name = "kubefed-config",                                                                                         \
              .kind = FLAG_STRING,                                                                                              \
              .to = (void *)&(o)->config_file,                                                                                  \
              .value = "string",                                                                                                \
              .help = "KubeFedConfig YAML file used instead of the API object" },                                               \
            { .name = "kubefed-namespace",                                                                                      \
              .kind = FLAG_STRING,                                                                                              \
              .to = (void *)&(o)->host.system_namespace,                                                                        \
              .value = "string",                                                                                                \
              .help = "namespace of the control plane; empty: the pod's own" },                                                 \
            { .name = "leader-elect-resource-lock",                                                                             \
              .kind = FLAG_CUSTOM,                                                                                              \
              .to = (void *)&(o)->lock,                                                                                         \
              .parse = parse_lock,                                                                                              \
              .value = "string",                                                                                                \
              .help =                                                                                                           \
                  "what holds the lock of the leader: configmaps,\nendpoints or leases; all replicas alike (default: "          \
                  "what\nthe KubeFedConfig says)" },                                                                            \
            LOGGING_FLAGS(&(o)->logging),                                                                                       \
            { .name = "master",                                                                                                 \
              .kind = FLAG_STRING,                                                                                              \
              .to = (void *)&(o)->host.master,                                                                                  \
              .check = host_check_master,                                                                                       \
              .value = "string",                                                                                                \
              .help = "URL of the host's API server, overrides the kubeconfig" },                                               \
            { .name = "metrics-addr",                                                                                           \
              .kind = FLAG_STRING,                                                                                              \
              .to = (void *)&(o)->metrics_addr,                                                                                 \
              .value = "string",                                                                                                \
              .help = "address of /metrics; \"\" or 0: no listener (default\n\":9090\")" },                                     \
            { .name = "orphan-unreachable-after",                                                                               \
              .kind = FLAG_CUSTOM,                                                                                              \
              .to = &(o)->behavior,                                                                                             \
              .parse = parse_orphan_after,                                                                                      \
              .value = "duration",                                                                                              \
              .help =                                                                                                           \
                  "how long the deletion of a federated object waits for a\nmember that cannot be reached before it "           \
                  "is left behind\nthere, to be removed when the member returns; never: as\nlong as it takes (default "         \
                  "never)" },                                                                                                   \
            { .name = "rest-config-burst",                                                                                      \
              .kind = FLAG_INT,                                                                                                 \
              .to = &(o)->burst,                                                                                                \
              .min = INT32_MIN,                                                                                                 \
              .max = INT32_MAX,                                                                                                 \
              .value = "int",                                                                                                   \
              .help = "accepted; see --rest-config-qps" },                                                                      \
            { .name = "rest-config-qps",                                                                                        \
              .kind = FLAG_NUMBER,                                                                                              \
              .to = &(o)->qps,                                                                                                  \
              .min = INT32_MIN,                                                                                                 \
              .max = INT32_MAX,                                                                                                 \
              .value = "float",                                                                                                 \
              .help = "accepted; requests are limited by what the server bears" },                                              \
            { .name = "seccomp",                                                                                                \
              .kind = FLAG_BOOL,                                                                                                \
              .to = &(o)->seccomp,                                                                                              \
              .help = "give up system calls that are never used (default true)" },                                              \
            { .name = "version", .kind = FLAG_VERSION, .to = &(o)->version, .help = "print the version and exit" },             \
            { .name = "warm-standby",                                                                                           \
              .kind = FLAG_BOOL,                                                                                                \
              .to = &(o)->warm_standby,                                                                                         \
              .help =                                                                                                           \
                  "a replica that does not lead connects to the members\nand keeps its caches filled (default true)" },         \
    }

static void usage(const struct flag *flags, size_t n)
{
    fputs("The KubeFed controller manager: keeps member clusters in the state that federated objects describe.\n"
          "\n"
          "Usage:\n"
          "  controller-manager [flags]\n"
          "\n"
          "Examples:\n"
          "  # In a pod of the host cluster\n"
          "  controller-manager --v=2\n"
          "  # On a workstation, against the current context of a kubeconfig\n"
          "  controller-manager --kubeconfig ~/.kube/config --kubefed-namespace kube-federation-system\n"
          "\n"
          "Flags:\n",
          stdout);
    flag_table_help(stdout, flags, n);
    fputs("\nThe other logging flags of klog are accepted; logs always go to stderr.\n", stdout);
}

static void log_flag(const char *text)
{
    log_verbose(1, "%s", text);
}

/* Returns -1 to go on, otherwise the exit status. */
static int parse_flags(int argc, char **argv, struct options *o)
{
    *o = (struct options){ .healthz_addr = ":8080",
                           .metrics_addr = ":9090",
                           .lock = "",
                           .insight = "local",
                           .warm_standby = true,
                           .seccomp = true,
                           .qps = 100,
                           .burst = 200,
                           .behavior = fed_behavior_default };
    struct flag flags[] = MANAGER_FLAGS(o);
    _cleanup_error_ struct error *err = NULL;
    int r = flag_table_parse(flags, ARRAY_SIZE(flags), argc, argv, &err);

    if (r == FLAGS_HELP)
        usage(flags, ARRAY_SIZE(flags));
    if (r == FLAGS_VERSION)
        version_print("controller-manager", false);
    if (r < 0)
        fprintf(stderr, "Error: %s\nRun 'controller-manager --help' for usage.\n", error_msg(err));
    if (r != FLAGS_GO_ON)
        return r < 0 ? 1 : 0;
    logging_start(&o->logging);
    version_print("controller-manager", o->logging.json);
    flag_table_list(flags, ARRAY_SIZE(flags), log_flag);
    return -1;
}

/* --- listeners --- */

/* By default for this machine only: `kubectl port-forward` comes from here, the network does not (local_request.h). */
static void serve_insight(const struct program *p, const struct http_server_request *req,
                          struct http_server_response *resp)
{
    bool allowed = strcmp(p->options.insight, "all") == 0 ||
                   (strcmp(p->options.insight, "local") == 0 && request_is_local(req));

    resp->content_type = "application/json";
    resp->status = allowed && manager_insight(p->manager, req->path, &resp->body) ? 200 : 404;
    if (resp->status == 404) {
        resp->content_type = "text/plain; charset=utf-8";
        buf_addz(&resp->body, "404 page not found\n");
    }
}

static void serve_health(void *arg, const struct http_server_request *req, struct http_server_response *resp)
{
    const struct program *p = arg;
    if (str_has_prefix(req->path, STR("/debug"))) {
        serve_insight(p, req, resp);
        return;
    }
    bool ready = str_eqc(req->path, "/readyz") || str_eqc(req->path, "/readyz/");
    resp->content_type = "text/plain; charset=utf-8";
    if (ready && !p->lease) { /* the host was not reached yet, or we are about to end */
        resp->status = 503;
        buf_addz(&resp->body, "the KubeFedConfig was not read yet\n");
        return;
    }
    resp->status = ready || str_eqc(req->path, "/healthz") ? 200 : 404;
    buf_addz(&resp->body, resp->status != 200 ? "404 page not found\n" : ready ? "ok" : "OK");
}

static void serve_metrics(void *arg, const struct http_server_request *req, struct http_server_response *resp)
{
    const struct program *p = arg;
    resp->content_type = "text/plain; version=0.0.4; charset=utf-8";
    resp->status = str_eqc(req->path, "/metrics") ? 200 : 404;
    if (resp->status == 404) {
        buf_addz(&resp->body, "404 page not found\n");
        return;
    }
    manager_program_metrics(&resp->body, p->leadership.leading, p->config_is_bad);
    manager_metrics(p->manager, &resp->body);
}

/* --- leadership --- */

static void end(void *arg)
{
    struct program *p = arg;
    p->done = true;
    loop_stop(p->loop);
}

/* That this replica leads no longer is stored as an event, if that does not take long. */
static void finish(void *arg)
{
    struct program *p = arg;
    uint64_t now = time_mono_ms();
    if (!p->flush_ends_ms)
        p->flush_ends_ms = now + FLUSH_MS;
    if (!p->events || !event_recorder_pending(p->events) || now >= p->flush_ends_ms)
        end(p);
    else
        loop_timer_start(p->loop, &p->flush, FLUSH_STEP_MS, finish, p);
}

static void on_settled(void *arg)
{
    struct program *p = arg;
    memory_give_back();
    loop_timer_start(p->loop, &p->settled, GIVE_BACK_MS, on_settled, p);
}

static void start_manager(struct program *p)
{
    p->manager = manager_start(p->host, p->config, &p->options.behavior, p->system_namespace);
    loop_timer_start(p->loop, &p->settled, SETTLE_MS, on_settled, p);
}

static void on_leading(void *arg)
{
    struct program *p = arg;
    log_info("promoted as leader");
    leadership_won(&p->leadership);
    if (!p->manager)
        start_manager(p);
    manager_lead(p->manager);
}

static void on_lost(void *arg)
{
    struct program *p = arg;
    log_error("leader election lost");
    log_error("lost lease");
    p->status = 1;
    p->stopping = true;
    (void)leadership_ends(&p->leadership);
    manager_free(TAKE_PTR(p->manager)); /* from here on nothing is written but the event */
    finish(p);
}

static void on_signal(void *arg, int signum)
{
    struct program *p = arg;
    if (p->stopping)
        _exit(1);
    p->stopping = true;
    log_info("Received %s, shutting down", signum == SIGINT ? "SIGINT" : "SIGTERM");
    if (p->manager)
        manager_free(TAKE_PTR(p->manager));
    if (leadership_ends(&p->leadership))
        lease_stop(TAKE_PTR(p->lease), finish, p);
    else if (!p->leadership.releasing)
        finish(p);
}

static char *make_identity(void)
{
    char host[256] = "";
    gethostname(host, sizeof(host) - 1);
    uint64_t a = rand_u64(), b = rand_u64();
    return mem_printf("%s_%08x-%04x-4%03x-%04x-%012llx", host, (unsigned)(a >> 32), (unsigned)(a >> 16) & 0xffff,
                      (unsigned)a & 0xfff, (unsigned)(0x8000 | ((b >> 48) & 0x3fff)),
                      (unsigned long long)(b & 0xffffffffffffULL));
}

static const char *lock_of(const struct program *p)
{
    return p->options.lock[0] ? p->options.lock : p->config->resource_lock;
}

static void start_election(struct program *p)
{
    if (!p->identity)
        p->identity = make_identity();
    leadership_began(&p->leadership);
    log_info("attempting to acquire leader lease %s/" FED_LOCK_NAME "...", p->system_namespace);
    p->lease = lease_start(&(struct lease_config){
        .client = p->host,
        .events = p->events,
        .component = FED_LOCK_NAME,
        .resource = lock_of(p),
        .ns = p->system_namespace,
        .name = FED_LOCK_NAME,
        .identity = p->identity,
        .lease_duration_ms = fed_config_ms(p->config->lease_duration_ns),
        .renew_deadline_ms = fed_config_ms(p->config->renew_deadline_ns),
        .retry_period_ms = fed_config_ms(p->config->retry_period_ns),
        .on_started = on_leading,
        .on_stopped = on_lost,
        .arg = p,
    });
}

/* --- other settings --- */

static void start_again(void *arg)
{
    struct program *p = arg;
    leadership_released(&p->leadership);
    if (p->stopping)
        finish(p);
    else
        start_election(p);
}

/* The controllers begin anew, as after a restart, which is what a change needed before; the lock is given up only when it is about
 * the lock. */
static void reconfigure(void *arg)
{
    struct program *p = arg;
    if (p->stopping || p->done)
        return;
    struct leadership_change change = leadership_changed(&p->leadership, fed_config_same_election(p->config, p->next));
    log_info("Starting anew with the changed KubeFedConfig");
    manager_free(TAKE_PTR(p->manager));
    fed_config_free(p->config);
    p->config = TAKE_PTR(p->next);
    if (p->options.warm_standby || change.lead)
        start_manager(p);
    if (change.lead)
        manager_lead(p->manager);
    if (change.release)
        lease_stop(TAKE_PTR(p->lease), start_again, p);
}

/* Replicas notice a change one after the other: with two kinds of locks there would be two leaders for a while. */
static void keep_lock(const struct program *p, struct fed_config *config)
{
    if (!p->options.lock[0] && strcmp(config->resource_lock, p->config->resource_lock) != 0)
        log_warning(
            "leaderElect.resourceLock changed from %s to %s: that needs a restart of all replicas at once, and waits for it",
            p->config->resource_lock, config->resource_lock);
    free(config->resource_lock);
    config->resource_lock = mem_strdup(p->config->resource_lock);
}

static void on_config(void *arg, struct fed_config *config)
{
    struct program *p = arg;
    keep_lock(p, config);
    if (config->namespaced != p->config->namespaced)
        log_warning(
            "The scope of the control plane changes: what it handled before and does not any longer stays as it is");
    fed_config_free(p->next);
    p->next = config;
    if (fed_config_equal(p->config, config)) {
        fed_config_free(TAKE_PTR(p->next));
        loop_task_cancel(&p->reconfigure);
        return;
    }
    loop_defer(p->loop, &p->reconfigure, reconfigure, p);
}

static void on_bad_config(void *arg, bool bad)
{
    ((struct program *)arg)->config_is_bad = bad;
}

static void watch_config(struct program *p)
{
    const char *file = p->options.config_file;
    p->watch = config_watch_start(&(struct config_watch_config){ .host = p->host,
                                                                 .system_namespace = p->system_namespace,
                                                                 .file = file && file[0] ? file : NULL,
                                                                 .current = p->config,
                                                                 .on_change = on_config,
                                                                 .on_bad = on_bad_config,
                                                                 .arg = p });
}

/* --- start --- */

static int load_config(struct program *p, struct error **err)
{
    const char *file = p->options.config_file;
    if (file && file[0])
        return manager_load_config_file(file, p->system_namespace, &p->config, err);
    return manager_load_config(p->host, p->system_namespace, &p->config, err);
}

static int fatal(const struct error *err)
{
    log_line(LOG_FATAL, "controller_manager.c", __LINE__, "%s", error_msg(err));
    return 255;
}

static void limit_rights(const struct options *o, const struct kube_config *host)
{
    _cleanup_error_ struct error *err = NULL;
    if (o->seccomp && host_limit_rights(host, &err) < 0)
        log_warning("%s", error_msg(err));
}

static int prepare(struct program *p)
{
    const struct options *o = &p->options;
    _cleanup_error_ struct error *err = NULL;
    _cleanup_kube_config_ struct kube_config *host = NULL;
    if (host_load(&o->host, &host, &err) < 0)
        return fatal(err);
    limit_rights(o, host);
    if (loop_new(&p->loop, &err) < 0 || loop_signal(p->loop, SIGINT, on_signal, p, &err) < 0 ||
        loop_signal(p->loop, SIGTERM, on_signal, p, &err) < 0) {
        log_line(LOG_FATAL, "controller_manager.c", __LINE__, "cannot start the event loop: %s", error_msg(err));
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);
    if (listener_start(&p->health, p->loop, "health", o->healthz_addr, 4096, serve_health, p, &err) < 0 ||
        listener_start(&p->metrics, p->loop, "metrics", o->metrics_addr, 4096, serve_metrics, p, &err) < 0 ||
        host_connect(&o->host, host, p->loop, "controller-manager", &p->host, &p->system_namespace, &err) < 0)
        return fatal(err);
    if (load_config(p, &err) < 0)
        return p->stopping ? 0 : fatal(err);
    log_info("Using valid KubeFedConfig \"%s/" FED_CONFIG_NAME "\"", p->system_namespace);
    if (p->config->namespaced)
        log_info("KubeFed will be limited to the \"%s\" namespace", p->system_namespace);
    else
        log_info("KubeFed will target all namespaces");
    return -1;
}

static void clean_up(struct program *p)
{
    loop_task_cancel(&p->reconfigure);
    config_watch_free(p->watch);
    manager_free(p->manager);
    if (p->lease)
        lease_stop(p->lease, NULL, NULL);
    loop_timer_stop(&p->settled);
    loop_timer_stop(&p->flush);
    event_recorder_free(p->events);
    listener_stop(&p->health);
    listener_stop(&p->metrics);
    kube_client_free(p->host);
    fed_config_free(p->config);
    fed_config_free(p->next);
    loop_free(p->loop);
    free(p->system_namespace);
    free(p->identity);
}

int controller_manager_main(int argc, char **argv)
{
    struct program p = { 0 };
    int status = parse_flags(argc, argv, &p.options);
    if (status >= 0)
        return status;
    mallopt(M_ARENA_MAX, 1);
    sandbox_hide_memory();
    status = prepare(&p);
    if (status < 0) {
        p.events = event_recorder_new(p.host);
        if (p.options.warm_standby)
            start_manager(&p);
        start_election(&p);
        watch_config(&p);
        if (!p.stopping)
            loop_run(p.loop, &p.done);
        status = p.status;
    }
    clean_up(&p);
    return status;
}
