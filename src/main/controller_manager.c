/*
 * The controller-manager program: flags, configuration, leader election, signals, health and metrics listeners.
 * Exit status: 0 after SIGINT or SIGTERM (the lock is released, Q-04), 1 for errors and a lost lease, 255 for a broken
 * configuration; a second signal ends the process at once with 1.
 */
#include <getopt.h>
#include <locale.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/log.h"
#include "base/rtime.h"
#include "controllers/manager.h"
#include "fed/names.h"
#include "kube/lease.h"
#include "net/server.h"
#include "programs.h"

#define LISTEN_RETRY_MS 2000u

struct options {
    const char *kubeconfig, *master, *system_namespace, *config_file, *healthz_addr, *metrics_addr;
    int verbosity;
    struct fed_behavior behavior;
};

/* When the start-up of a leader is over, long before it matters. */
#define SETTLE_MS 5000u
/* And again, since a rush leaves free memory behind. */
#define GIVE_BACK_MS 60000u

struct program {
    struct options options;
    struct loop *loop;
    struct kube_client *host;
    struct fed_config *config;
    char *system_namespace;
    char *identity;
    struct lease *lease;
    struct manager *manager;
    struct listener {
        struct program *program;
        const char *what, *address;
        http_server_fn *fn;
        struct http_server *server;
        struct loop_timer retry;
    } health, metrics;
    struct loop_timer settled;
    bool stopping;
    bool done;
    int status;
};

/* --- flags --- */

static void usage(FILE *out)
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
          "Flags:\n"
          "      --behavior NAME=BOOL,...     switches between corrected behavior and that of KubeFed v0.9.2;\n"
          "                                   may be repeated; an unknown name prints all (docs/propagation.md)\n"
          "      --healthz-addr string        address of /healthz; \"\" or 0: no listener (default \":8080\")\n"
          "      --kubeconfig string          kubeconfig of the host cluster; empty: in-cluster credentials\n"
          "      --kubefed-config string      KubeFedConfig YAML file used instead of the API object\n"
          "      --kubefed-namespace string   namespace of the control plane; empty: the pod's own\n"
          "      --master string              URL of the host's API server, overrides the kubeconfig\n"
          "      --metrics-addr string        address of /metrics; \"\" or 0: no listener (default \":9090\")\n"
          "      --orphan-unreachable-after duration\n"
          "                                   how long the deletion of a federated object waits for a member that\n"
          "                                   cannot be reached before it is left behind there, to be removed when\n"
          "                                   the member returns; never: as long as it takes (default never)\n"
          "      --rest-config-qps float      accepted; requests are limited by what the server bears\n"
          "      --rest-config-burst int      accepted; see --rest-config-qps\n"
          "  -v, --v int                      log verbosity (default 0)\n"
          "      --version                    print the version and exit\n"
          "  -h, --help                       this text\n"
          "\n"
          "The logging flags of klog are accepted; logs always go to stderr.\n",
          out);
}

static void print_version(void)
{
    struct utsname u;
    uname(&u);
    const char *arch = strcmp(u.machine, "x86_64") == 0    ? "amd64"
                       : strcmp(u.machine, "aarch64") == 0 ? "arm64"
                                                           : u.machine;
    printf(
        "KubeFed controller-manager version: version.Info{Version:\"%s\", GitCommit:\"unknown\", GitTreeState:\"unknown\", "
        "BuildDate:\"unknown\", GoVersion:\"none (C)\", Compiler:\"" __VERSION__ "\", Platform:\"linux/%s\"}\n",
        KUBEFED_VERSION, arch);
    fflush(stdout);
}

enum {
    OPT_HEALTHZ = 256,
    OPT_KUBECONFIG,
    OPT_CONFIG,
    OPT_NAMESPACE,
    OPT_MASTER,
    OPT_METRICS,
    OPT_VERSION,
    OPT_BEHAVIOR,
    OPT_ORPHAN_AFTER,
    OPT_IGNORED
};

static const struct option long_options[] = {
    { "behavior", required_argument, NULL, OPT_BEHAVIOR },
    { "orphan-unreachable-after", required_argument, NULL, OPT_ORPHAN_AFTER },
    { "healthz-addr", required_argument, NULL, OPT_HEALTHZ },
    { "kubeconfig", required_argument, NULL, OPT_KUBECONFIG },
    { "kubefed-config", required_argument, NULL, OPT_CONFIG },
    { "kubefed-namespace", required_argument, NULL, OPT_NAMESPACE },
    { "master", required_argument, NULL, OPT_MASTER },
    { "metrics-addr", required_argument, NULL, OPT_METRICS },
    { "version", no_argument, NULL, OPT_VERSION },
    { "v", required_argument, NULL, 'v' },
    { "help", no_argument, NULL, 'h' },
    { "rest-config-qps", required_argument, NULL, OPT_IGNORED },
    { "rest-config-burst", required_argument, NULL, OPT_IGNORED },
    { "alsologtostderr", optional_argument, NULL, OPT_IGNORED },
    { "logtostderr", optional_argument, NULL, OPT_IGNORED },
    { "add_dir_header", optional_argument, NULL, OPT_IGNORED },
    { "add-dir-header", optional_argument, NULL, OPT_IGNORED },
    { "one_output", optional_argument, NULL, OPT_IGNORED },
    { "one-output", optional_argument, NULL, OPT_IGNORED },
    { "skip_headers", optional_argument, NULL, OPT_IGNORED },
    { "skip-headers", optional_argument, NULL, OPT_IGNORED },
    { "skip_log_headers", optional_argument, NULL, OPT_IGNORED },
    { "skip-log-headers", optional_argument, NULL, OPT_IGNORED },
    { "log_dir", required_argument, NULL, OPT_IGNORED },
    { "log-dir", required_argument, NULL, OPT_IGNORED },
    { "log_file", required_argument, NULL, OPT_IGNORED },
    { "log-file", required_argument, NULL, OPT_IGNORED },
    { "log_file_max_size", required_argument, NULL, OPT_IGNORED },
    { "log-file-max-size", required_argument, NULL, OPT_IGNORED },
    { "log_backtrace_at", required_argument, NULL, OPT_IGNORED },
    { "log-backtrace-at", required_argument, NULL, OPT_IGNORED },
    { "log-flush-frequency", required_argument, NULL, OPT_IGNORED },
    { "stderrthreshold", required_argument, NULL, OPT_IGNORED },
    { "vmodule", required_argument, NULL, OPT_IGNORED },
    { NULL, 0, NULL, 0 },
};

static int parse_verbosity(const char *text, int *ret)
{
    int64_t v;
    if (str_to_i64(str_of(text), &v) < 0 || v < 0 || v > 100) {
        fprintf(stderr, "Error: invalid argument \"%s\" for \"-v, --v\" flag: want a number from 0 to 100\n", text);
        return -EINVAL;
    }
    *ret = (int)v;
    return 0;
}

static int parse_behavior(int option, const char *text, struct fed_behavior *b)
{
    _cleanup_error_ struct error *err = NULL;
    bool after = option == OPT_ORPHAN_AFTER;
    int r = after ? fed_orphan_after_parse(str_of(text), &b->orphan_unreachable_after_s, &err)
                  : fed_behavior_parse(str_of(text), b, &err);
    if (r < 0)
        fprintf(stderr, "Error: invalid argument \"%s\" for \"--%s\" flag: %s\n", text,
                after ? "orphan-unreachable-after" : "behavior", error_msg(err));
    return r;
}

/* Returns -1 to go on, otherwise the exit status. */
static int parse_flags(int argc, char **argv, struct options *o)
{
    *o = (struct options){ .healthz_addr = ":8080", .metrics_addr = ":9090", .behavior = fed_behavior_default };
    optind = 1;
    int c;
    while ((c = getopt_long(argc, argv, "v:h", long_options, NULL)) != -1) {
        switch (c) {
        case OPT_HEALTHZ: o->healthz_addr = optarg; break;
        case OPT_METRICS: o->metrics_addr = optarg; break;
        case OPT_KUBECONFIG: o->kubeconfig = optarg; break;
        case OPT_CONFIG: o->config_file = optarg; break;
        case OPT_NAMESPACE: o->system_namespace = optarg; break;
        case OPT_MASTER: o->master = optarg; break;
        case OPT_IGNORED: break;
        case OPT_BEHAVIOR:
        case OPT_ORPHAN_AFTER:
            if (parse_behavior(c, optarg, &o->behavior) < 0)
                return 1;
            break;
        case 'v':
            if (parse_verbosity(optarg, &o->verbosity) < 0)
                return 1;
            break;
        case OPT_VERSION: print_version(); return 0;
        case 'h': usage(stdout); return 0;
        default: fputs("Run 'controller-manager --help' for usage.\n", stderr); return 1;
        }
    }
    return -1;
}

/* --- listeners --- */

static void serve_health(void *arg, const struct http_server_request *req, struct http_server_response *resp)
{
    (void)arg;
    resp->content_type = "text/plain; charset=utf-8";
    resp->status = str_eqc(req->path, "/healthz") ? 200 : 404;
    buf_addz(&resp->body, resp->status == 200 ? "OK" : "404 page not found\n");
}

static void serve_metrics(void *arg, const struct http_server_request *req, struct http_server_response *resp)
{
    struct program *p = ((struct listener *)arg)->program;
    resp->content_type = "text/plain; version=0.0.4; charset=utf-8";
    resp->status = str_eqc(req->path, "/metrics") ? 200 : 404;
    if (resp->status == 404)
        buf_addz(&resp->body, "404 page not found\n");
    else if (p->manager)
        manager_metrics(p->manager, &resp->body);
}

static void finish(void *arg);

/* An address that is none ends the process; failing to bind never does: a second manager may start while the first still holds the port. */
static void listen_on(void *arg)
{
    struct listener *l = arg;
    _cleanup_error_ struct error *err = NULL;
    if (http_server_new(l->program->loop, str_of(l->address), 4096, l->fn, l, &l->server, &err) == 0) {
        log_info("Serving %s on port %u", l->what, http_server_port(l->server));
        return;
    }
    if (err && err->code == -EINVAL) {
        log_error("Cannot serve %s: %s (want host:port, :port, or 0 for none)", l->what, error_msg(err));
        l->program->status = 255;
        finish(l->program);
        return;
    }
    log_warning("Cannot serve %s on \"%s\": %s; trying again", l->what, l->address, error_msg(err));
    loop_timer_start(l->program->loop, &l->retry, LISTEN_RETRY_MS, listen_on, l);
}

static void listener_start(struct program *p, struct listener *l, const char *what, const char *address,
                           http_server_fn *fn)
{
    *l = (struct listener){ .program = p, .what = what, .address = address, .fn = fn };
    if (address[0] && strcmp(address, "0") != 0)
        listen_on(l);
}

static void listener_stop(struct listener *l)
{
    loop_timer_stop(&l->retry);
    http_server_free(l->server);
}

/* --- leadership --- */

static void finish(void *arg)
{
    struct program *p = arg;
    p->done = true;
    loop_stop(p->loop);
}

static void on_settled(void *arg)
{
    struct program *p = arg;
    memory_give_back();
    loop_timer_start(p->loop, &p->settled, GIVE_BACK_MS, on_settled, p);
}

static void on_leading(void *arg)
{
    struct program *p = arg;
    log_info("promoted as leader");
    p->manager = manager_start(p->host, p->config, &p->options.behavior, p->system_namespace);
    loop_timer_start(p->loop, &p->settled, SETTLE_MS, on_settled, p);
}

static void on_lost(void *arg)
{
    struct program *p = arg;
    log_error("leader election lost");
    log_error("lost lease");
    p->status = 1;
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
    if (p->lease)
        lease_stop(TAKE_PTR(p->lease), finish, p);
    else
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

static void start_election(struct program *p)
{
    p->identity = make_identity();
    log_info("attempting to acquire leader lease %s/kubefed-controller-manager...", p->system_namespace);
    p->lease = lease_start(&(struct lease_config){
        .client = p->host,
        .resource = p->config->resource_lock,
        .ns = p->system_namespace,
        .name = "kubefed-controller-manager",
        .identity = p->identity,
        .lease_duration_ms = p->config->lease_duration_ns / NSEC_PER_MS,
        .renew_deadline_ms = p->config->renew_deadline_ns / NSEC_PER_MS,
        .retry_period_ms = p->config->retry_period_ns / NSEC_PER_MS,
        .on_started = on_leading,
        .on_stopped = on_lost,
        .arg = p,
    });
}

/* --- start --- */

static int host_client(struct program *p, struct error **err)
{
    _cleanup_kube_config_ struct kube_config *config = NULL;
    const struct options *o = &p->options;
    bool in_cluster = !(o->kubeconfig && o->kubeconfig[0]) && !(o->master && o->master[0]);
    int r = in_cluster ? kube_config_in_cluster(&config, err)
                       : kube_config_load(&(struct kube_config_source){ .kubeconfig = o->kubeconfig,
                                                                        .master = o->master,
                                                                        .no_default_files = true },
                                          &config, err);
    if (r < 0)
        return r;
    if (o->system_namespace && o->system_namespace[0])
        p->system_namespace = mem_strdup(o->system_namespace);
    else if (in_cluster && config->namespace_)
        p->system_namespace = mem_strdup(config->namespace_);
    else
        return error_set(err, -EINVAL, "The KubeFed namespace must be specified via --kubefed-namespace");
    return kube_client_new(
        config,
        &(struct kube_client_options){ .loop = p->loop, .user_agent = "controller-manager", .connect_backoff = true },
        &p->host, err);
}

static int load_config(struct program *p, struct error **err)
{
    const char *file = p->options.config_file;
    if (file && file[0])
        return manager_load_config_file(file, p->system_namespace, &p->config, err);
    return manager_load_config(p->host, p->system_namespace, &p->config, err);
}

static int prepare(struct program *p)
{
    _cleanup_error_ struct error *err = NULL;
    if (loop_new(&p->loop, &err) < 0 || loop_signal(p->loop, SIGINT, on_signal, p, &err) < 0 ||
        loop_signal(p->loop, SIGTERM, on_signal, p, &err) < 0) {
        log_line(LOG_FATAL, "controller_manager.c", __LINE__, "cannot start the event loop: %s", error_msg(err));
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);
    listener_start(p, &p->health, "health", p->options.healthz_addr, serve_health);
    listener_start(p, &p->metrics, "metrics", p->options.metrics_addr, serve_metrics);
    if (host_client(p, &err) < 0) {
        log_line(LOG_FATAL, "controller_manager.c", __LINE__, "%s", error_msg(err));
        return 255;
    }
    if (load_config(p, &err) < 0) {
        if (p->stopping)
            return 0;
        log_line(LOG_FATAL, "controller_manager.c", __LINE__, "%s", error_msg(err));
        return 255;
    }
    if (p->config->namespaced)
        log_info("KubeFed will be limited to the \"%s\" namespace", p->system_namespace);
    else
        log_info("KubeFed will target all namespaces");
    return -1;
}

static void clean_up(struct program *p)
{
    manager_free(p->manager);
    if (p->lease)
        lease_stop(p->lease, NULL, NULL);
    loop_timer_stop(&p->settled);
    listener_stop(&p->health);
    listener_stop(&p->metrics);
    kube_client_free(p->host);
    fed_config_free(p->config);
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
    log_init(p.options.verbosity);
    print_version();
    status = prepare(&p);
    if (status < 0) {
        start_election(&p);
        if (!p.stopping)
            loop_run(p.loop, &p.done);
        status = p.status;
    }
    clean_up(&p);
    return status;
}
