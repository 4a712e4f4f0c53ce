/* See listener.h. */
#include "listener.h"

#include "base/log.h"
#include "net/tls_server.h"

#define LISTEN_RETRY_MS 2000u

static int try_bind(struct listener *l, struct error **err)
{
    int r = http_server_new(l->loop, str_of(l->address), l->max_body, l->fn, l->arg, &l->server, err);

    if (r < 0)
        return r;
    if (l->tls)
        http_server_set_tls(l->server, l->tls);
    if (l->max_held)
        http_server_set_max_held(l->server, l->max_held);
    log_info("Serving %s on port %u", l->what, http_server_port(l->server));
    return 0;
}

static void on_retry(void *arg)
{
    struct listener *l = arg;
    _cleanup_error_ struct error *err = NULL;

    if (try_bind(l, &err) == 0)
        return;
    if (!l->warned)
        log_warning("Cannot serve %s on \"%s\": %s; trying again", l->what, l->address, error_msg(err));
    l->warned = true;
    loop_timer_start(l->loop, &l->retry, LISTEN_RETRY_MS, on_retry, l);
}

int listener_start(struct listener *l, struct loop *loop, const char *what, const char *address, size_t max_body,
                   http_server_fn *fn, void *arg, struct error **err)
{
    *l = (struct listener){ .loop = loop,
                            .what = what,
                            .address = address,
                            .max_body = max_body,
                            .max_held = l->max_held,
                            .fn = fn,
                            .arg = arg,
                            .tls = l->tls };
    if (!address[0] || strcmp(address, "0") == 0)
        return 0;
    int r = try_bind(l, err);
    if (r == 0)
        return 0;
    if (r == -EINVAL) {
        error_wrap(err, "cannot serve %s", what);
        return r;
    }
    log_warning("Cannot serve %s: %s; trying again", what, err ? error_msg(*err) : "taken");
    if (err) {
        error_free(*err);
        *err = NULL;
    }
    l->warned = true;
    loop_timer_start(loop, &l->retry, LISTEN_RETRY_MS, on_retry, l);
    return 0;
}

void listener_set_tls(struct listener *l, struct tls_server *tls)
{
    struct tls_server *old = l->tls;

    l->tls = tls_server_ref(tls);
    tls_server_unref(old);
    if (l->server)
        http_server_set_tls(l->server, tls);
}

void listener_limit(struct listener *l, size_t max_held)
{
    l->max_held = max_held;
}

void listener_drain(struct listener *l, uint64_t serve_ms, uint64_t finish_ms, void (*fn)(void *arg), void *arg)
{
    if (l->server)
        http_server_drain(l->server, serve_ms, finish_ms, fn, arg);
    else
        loop_timer_start(l->loop, &l->retry, 0, fn, arg); /* instead of another try */
}

void listener_stop(struct listener *l)
{
    loop_timer_stop(&l->retry);
    http_server_free(l->server);
    tls_server_unref(l->tls);
    l->server = NULL;
    l->tls = NULL;
}
