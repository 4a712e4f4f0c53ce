/*
 * Reports every change of a collection, with the time at which it was seen:
 *
 *   seen KUBECONFIG CONTEXT PATH
 *
 * One line each: "SECONDS KIND NAME PROPAGATED DRIFT", seconds of the monotonic clock, KIND A(dded), M(odified) or D(eleted),
 * PROPAGATED 1 when the object has a condition Propagation that is True, DRIFT 1 when its data has a key "drift". Prints
 * "ready" when the watch is open. Ends with its standard input.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "kube/informer.h"

static void die(const char *what, const struct error *err)
{
    fprintf(stderr, "seen: %s: %s\n", what, error_msg(err));
    exit(1);
}

static bool is_propagated(yyjson_val *live)
{
    yyjson_val *list = json_path(live, "status.conditions"), *item;
    size_t i, n;

    yyjson_arr_foreach(list, i, n, item) if (str_eqc(json_path_str(item, "type"), "Propagation") &&
                                             str_eqc(json_path_str(item, "status"), "True")) return true;
    return false;
}

static void project(void *arg, yyjson_val *live, yyjson_mut_doc *out)
{
    yyjson_mut_val *root = yyjson_mut_doc_get_root(out);

    (void)arg;
    json_mut_set_bool(out, root, "p", is_propagated(live));
    json_mut_set_bool(out, root, "d", json_path(live, "data.drift") != NULL);
}

static void on_change(void *arg, struct kube_object *old, struct kube_object *now)
{
    const struct kube_object *o = kube_object_either(now, old);
    struct timespec t;

    (void)arg;
    clock_gettime(CLOCK_MONOTONIC, &t);
    printf("%lld.%09ld %c %" PRIstr " %d %d\n", (long long)t.tv_sec, t.tv_nsec,
           !old  ? 'A'
           : now ? 'M'
                 : 'D',
           STRARG(kube_object_name(o)), str_contains(kube_object_body(o), STR("\"p\":true")),
           str_contains(kube_object_body(o), STR("\"d\":true")));
}

static void on_state(void *arg, enum kube_informer_state state, const struct error *err)
{
    (void)arg;
    if (state == KUBE_INFORMER_SYNCED)
        puts("ready");
    else if (err)
        die("list", err);
}

static void on_stdin(void *arg, int events)
{
    (void)arg;
    (void)events;
    exit(0);
}

int main(int argc, char **argv)
{
    _cleanup_error_ struct error *err = NULL;
    _cleanup_kube_config_ struct kube_config *config = NULL;
    struct kube_client *client = NULL;
    struct loop *loop = NULL;
    struct loop_io *io = NULL;

    if (argc != 4) {
        fprintf(stderr, "usage: seen KUBECONFIG CONTEXT PATH\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    struct kube_config_source source = { .kubeconfig = argv[1], .context = argv[2] };
    if (loop_new(&loop, &err) < 0 || loop_io_new(loop, STDIN_FILENO, on_stdin, NULL, &io, &err) < 0 ||
        kube_config_load(&source, &config, &err) < 0 ||
        kube_client_new(config, &(struct kube_client_options){ .loop = loop }, &client, &err) < 0)
        die("start", err);
    loop_io_watch(io, LOOP_READ);
    kube_informer_start(&(struct kube_informer_config){
        .client = client, .path = argv[3], .project = project, .on_change = on_change, .on_state = on_state });
    loop_run(loop, NULL);
    return 0;
}
