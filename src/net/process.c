/* See process.h. uv_spawn with pipes; the end is reported when both the child has exited and its output is closed. */
#include "net/process.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "net/loop_internal.h"

struct process {
    struct loop *loop;
    struct list link; /* in loop->processes, until its handles are closed */
    uv_process_t uv;
    uv_pipe_t out;
    struct buf output;
    process_done_fn *fn;
    void *arg;
    struct loop_timer timer;
    char **env;
    int exit_status;
    struct error *err;
    bool exited, out_closed, reported, canceled;
    unsigned open_handles;
    char chunk[4096];
};

static void env_free(char **env)
{
    for (size_t i = 0; env && env[i]; i++)
        free(env[i]);
    free(env);
}

static void maybe_free(struct process *p)
{
    if (p->open_handles > 0)
        return;
    list_del(&p->link);
    buf_done(&p->output);
    error_free(p->err);
    env_free(p->env);
    free(p);
}

static void on_closed(uv_handle_t *h)
{
    struct process *p = h->data;
    p->open_handles--;
    maybe_free(p);
}

static void finish(struct process *p)
{
    if (p->reported || !p->exited || !p->out_closed)
        return;
    p->reported = true;
    loop_timer_stop(&p->timer);
    if (!p->canceled)
        p->fn(p->arg, p->exit_status, buf_str(&p->output), p->err);
    uv_close((uv_handle_t *)&p->uv, on_closed);
}

static void close_output(struct process *p)
{
    if (p->out_closed)
        return;
    p->out_closed = true;
    uv_close((uv_handle_t *)&p->out, on_closed);
    finish(p);
}

static void on_exit_status(uv_process_t *uv, int64_t status, int signal)
{
    struct process *p = container_of(uv, struct process, uv);
    p->exited = true;
    p->exit_status = signal ? 128 + signal : (int)status;
    if (p->err || p->canceled)
        close_output(p);
    finish(p);
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *b)
{
    (void)suggested;
    struct process *p = h->data;
    *b = uv_buf_init(p->chunk, sizeof(p->chunk));
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
    struct process *p = s->data;
    if (n > 0 && buf_add(&p->output, b->base, (size_t)n) < 0 && !p->err) {
        error_set(&p->err, -EFBIG, "it wrote more than %zu bytes", p->output.max);
        uv_process_kill(&p->uv, SIGKILL);
    }
    if (n < 0)
        close_output(p);
}

static void on_timeout(void *arg)
{
    struct process *p = arg;
    error_set(&p->err, -ETIMEDOUT, "it did not end in time");
    uv_process_kill(&p->uv, SIGKILL);
    close_output(p); /* a grandchild may hold the pipe open */
}

static char **make_env(const char *const *extra)
{
    size_t n = 0, m = 0;
    while (environ && environ[n])
        n++;
    while (extra && extra[m])
        m++;
    char **env = mem_array(n + m + 1, sizeof(*env));
    for (size_t i = 0; i < n; i++)
        env[i] = mem_strdup(environ[i]);
    for (size_t i = 0; i < m; i++)
        env[n + i] = mem_strdup(extra[i]);
    return env;
}

int process_start(struct loop *l, const struct process_spec *spec, process_done_fn *fn, void *arg, struct process **ret,
                  struct error **err)
{
    struct process *p = mem_zalloc(sizeof(*p));
    p->loop = l;
    list_add_tail(&l->processes, &p->link);
    p->fn = fn;
    p->arg = arg;
    p->output = BUF_INIT(spec->max_output ? spec->max_output : BUF_MAX_DEFAULT);
    p->env = make_env(spec->extra_env);
    uv_pipe_init(&l->uv, &p->out, 0);
    p->out.data = p;
    p->uv.data = p;
    p->open_handles = 2;
    uv_stdio_container_t stdio[3] = {
        { .flags = spec->stdin_inherit ? UV_INHERIT_FD : UV_IGNORE, .data.fd = 0 },
        { .flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&p->out },
        { .flags = UV_INHERIT_FD, .data.fd = 2 },
    };
    uv_process_options_t o = { .exit_cb = on_exit_status,
                               .file = spec->argv[0],
                               .args = (char **)(uintptr_t)spec->argv,
                               .env = p->env,
                               .stdio = stdio,
                               .stdio_count = 3 };
    int r = uv_spawn(&l->uv, &p->uv, &o);
    if (r < 0) {
        p->reported = true;
        uv_close((uv_handle_t *)&p->uv, on_closed);
        uv_close((uv_handle_t *)&p->out, on_closed);
        return error_set(err, r, "cannot run \"%s\": %s", spec->argv[0], uv_strerror(r));
    }
    uv_read_start((uv_stream_t *)&p->out, on_alloc, on_read);
    if (spec->timeout_ms)
        loop_timer_start(l, &p->timer, spec->timeout_ms, on_timeout, p);
    *ret = p;
    return 0;
}

void process_cancel(struct process *p)
{
    p->canceled = true;
    loop_timer_stop(&p->timer);
    if (!p->exited)
        uv_process_kill(&p->uv, SIGKILL);
    close_output(p);
}

void processes_close(struct loop *l)
{
    list_for_each(it, &l->processes) {
        struct process *p = list_entry(it, struct process, link);
        bool running = !p->exited && !p->reported; /* reported: also one that could not be started, which has no pid */

        p->canceled = p->reported = true;
        loop_timer_stop(&p->timer);
        if (running)
            uv_process_kill(&p->uv, SIGKILL);
        if (!uv_is_closing((uv_handle_t *)&p->uv))
            uv_close((uv_handle_t *)&p->uv, on_closed);
        if (!uv_is_closing((uv_handle_t *)&p->out))
            uv_close((uv_handle_t *)&p->out, on_closed);
    }
}
