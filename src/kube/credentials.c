/*
 * Credentials of one client. A token file is read again every minute and after a 401 (Kubernetes rotates projected tokens);
 * when it has become unreadable the last token stays in use. A plugin runs when there is no credential yet, when the last
 * one expired, and after a 401; calls wait for it together. A plugin that failed is not run again for a second, so that a
 * broken one is not started for every call. A fixed token can only be replaced from outside (controllers.md 13, Q-66):
 * calls wait for that for 5 s.
 */
#include "kube/credentials.h"

#include <stdlib.h>

#include "base/encode.h"
#include "base/log.h"
#include "base/rtime.h"
#include "kube/file.h"

#define REREAD_MS 60000u
#define RENEWAL_WAIT_MS 5000u
#define EXEC_PAUSE_MS 1000u
#define SECRET_MIN 8 /* shorter ones would be found everywhere */

struct credentials {
    struct loop *loop;
    const struct kube_config *config; /* the client's own copy */
    struct credentials_handlers handlers;
    char *header, *secret; /* current value of Authorization and the part that must not be seen */
    uint64_t generation;
    uint64_t read_ms; /* token file */
    /* plugin */
    struct exec_run *run;
    bool have, has_certificate;
    int64_t expires_s;
    uint64_t got_ms;
    uint64_t rejected; /* the generation that was refused last */
    uint64_t asked_ms; /* when on_unauthorized was called last */
    struct error *failure;
    uint64_t failed_ms;
    /* waiting */
    struct list waiters;
    struct loop_timer timer;
    struct loop_task wake_task;
};

static void set_header(struct credentials *c, const char *scheme, const char *secret)
{
    struct buf header = BUF_SECRET_INIT(SIZE_MAX); /* mem_printf would free what it wrote first as it is */

    kube_secret_free(c->header);
    kube_secret_free(c->secret);
    if (secret) {
        buf_addz(&header, scheme);
        buf_addc(&header, ' ');
        buf_addz(&header, secret);
    }
    c->header = secret ? buf_take(&header, NULL) : NULL;
    c->secret = mem_strdup(secret);
    c->generation++;
}

/* --- waiting --- */

static void wait_add(struct credentials *c, struct credentials_wait *w, uint64_t until_ms)
{
    assert(!w->waiting);
    w->waiting = true;
    w->until_ms = until_ms;
    list_init(&w->link);
    list_add_tail(&c->waiters, &w->link);
}

void credentials_wait_cancel(struct credentials_wait *w)
{
    if (!w->waiting)
        return;
    list_del(&w->link);
    w->waiting = false;
}

/* Calls every waiter that is there now. One may start a new wait, or cancel others. */
static void wake_all(struct credentials *c, const struct error *err)
{
    struct list now;

    list_init(&now);
    while (!list_empty(&c->waiters))
        list_add_tail(&now, list_pop(&c->waiters));
    while (!list_empty(&now)) {
        struct credentials_wait *w = list_entry(list_pop(&now), struct credentials_wait, link);
        w->waiting = false;
        w->fn(w->arg, err);
    }
}

static void wake_task(void *arg)
{
    wake_all(arg, NULL);
}

/* --- token file --- */

static void use_token(struct credentials *c, const char *token)
{
    if (!c->secret || strcmp(c->secret, token) != 0)
        set_header(c, "Bearer", token);
}

static void reread_file(struct credentials *c)
{
    _cleanup_error_ struct error *err = NULL;
    char *token = NULL;

    c->read_ms = loop_now(c->loop);
    if (kube_file_read_token(c->config->token_file, &token, &err) < 0) {
        log_verbose(1, "Keeping the last token: %s", error_msg(err));
        return;
    }
    use_token(c, token);
    kube_secret_free(token);
}

/* --- plugin --- */

static void take_credential(struct credentials *c, struct exec_credential *cred)
{
    _cleanup_error_ struct error *err = NULL;

    error_free(TAKE_PTR(c->failure));
    if ((cred->cert_pem || c->has_certificate) && c->handlers.on_certificate &&
        c->handlers.on_certificate(c->handlers.arg, cred->cert_pem, cred->key_pem, &err) < 0) {
        error_wrap(&err, "getting credentials: exec: executable %s", c->config->exec->command);
        c->failure = TAKE_PTR(err);
        c->failed_ms = loop_now(c->loop);
        return;
    }
    c->has_certificate = cred->cert_pem != NULL;
    c->have = true;
    c->got_ms = loop_now(c->loop);
    c->expires_s = cred->expires_s;
    set_header(c, "Bearer", cred->token);
}

static void on_exec(void *arg, struct exec_credential *cred, const struct error *err)
{
    struct credentials *c = arg;

    c->run = NULL;
    if (cred) {
        take_credential(c, cred);
    } else {
        error_free(c->failure);
        c->failure = error_copy(err);
        error_wrap(&c->failure, "getting credentials");
        c->failed_ms = loop_now(c->loop);
    }
    _cleanup_error_ struct error *copy = error_copy(c->failure);
    wake_all(c, copy);
}

/* 0 when the plugin runs (or ran already); else why not. */
static int run_plugin(struct credentials *c, struct error **err)
{
    if (c->run)
        return 0;
    if (c->failure && loop_now(c->loop) - c->failed_ms < EXEC_PAUSE_MS) {
        if (err) {
            error_free(*err);
            *err = error_copy(c->failure);
        }
        return c->failure->code;
    }
    error_free(TAKE_PTR(c->failure));
    c->run = exec_start(c->loop, c->config, on_exec, c, &c->failure);
    if (c->run)
        return 0;
    error_wrap(&c->failure, "getting credentials");
    c->failed_ms = loop_now(c->loop);
    return error_set(err, c->failure->code, "%s", c->failure->msg);
}

static bool plugin_needed(const struct credentials *c)
{
    if (!c->have || c->rejected == c->generation)
        return true;
    /* A plugin that hands out expired credentials must not be run in a circle. */
    return c->expires_s && time_wall_s() >= c->expires_s && loop_now(c->loop) - c->got_ms >= EXEC_PAUSE_MS;
}

/* --- use --- */

int credentials_get(struct credentials *c, struct credentials_wait *w, const char **ret_header,
                    uint64_t *ret_generation, struct error **err)
{
    if (c->config->exec && plugin_needed(c)) {
        int r = run_plugin(c, err);
        if (r < 0)
            return r;
        wait_add(c, w, 0);
        return -EAGAIN;
    }
    if (c->config->token_file && loop_now(c->loop) - c->read_ms >= REREAD_MS)
        reread_file(c);
    *ret_header = c->header;
    *ret_generation = c->generation;
    return 0;
}

static void on_timer(void *arg)
{
    struct credentials *c = arg;
    _cleanup_error_ struct error *err = NULL;
    uint64_t now = loop_now(c->loop), next = 0;
    struct list late;

    error_set(&err, -EACCES, "the credentials were refused and no new ones came in time");
    list_init(&late);
    list_for_each(it, &c->waiters) {
        struct credentials_wait *w = list_entry(it, struct credentials_wait, link);
        if (w->until_ms && w->until_ms <= now) {
            list_del(&w->link);
            list_add_tail(&late, &w->link);
        } else if (w->until_ms && (!next || w->until_ms < next)) {
            next = w->until_ms;
        }
    }
    if (next)
        loop_timer_start(c->loop, &c->timer, next - now, on_timer, c);
    while (!list_empty(&late)) {
        struct credentials_wait *w = list_entry(list_pop(&late), struct credentials_wait, link);
        w->waiting = false;
        w->fn(w->arg, err);
    }
}

int credentials_reject(struct credentials *c, uint64_t generation, struct credentials_wait *w)
{
    if (generation != c->generation)
        return 0;
    if (c->config->token_file) {
        reread_file(c);
        return generation != c->generation ? 0 : -EACCES;
    }
    if (c->config->exec) {
        c->rejected = generation;
        if (run_plugin(c, NULL) < 0)
            return -EACCES;
        wait_add(c, w, 0);
        return -EAGAIN;
    }
    if (!c->handlers.on_unauthorized)
        return -EACCES;
    wait_add(c, w, loop_now(c->loop) + RENEWAL_WAIT_MS);
    if (!loop_timer_active(&c->timer))
        loop_timer_start(c->loop, &c->timer, RENEWAL_WAIT_MS, on_timer, c);
    if (c->rejected != generation || loop_now(c->loop) - c->asked_ms >= RENEWAL_WAIT_MS) {
        c->rejected = generation;
        c->asked_ms = loop_now(c->loop);
        c->handlers.on_unauthorized(c->handlers.arg);
    }
    return -EAGAIN;
}

void credentials_set_token(struct credentials *c, struct str token)
{
    struct str t = str_trim(token);
    char *copy = str_dup(t);

    if (str_empty(t) || !kube_header_ok(t))
        log_warning("A new token was ignored: it is %s", str_empty(t) ? "empty" : "malformed");
    else
        set_header(c, "Bearer", copy);
    kube_secret_free(copy);
    loop_defer(c->loop, &c->wake_task, wake_task, c);
}

bool credentials_leak(const struct credentials *c, const char *text)
{
    return c->secret && strlen(c->secret) >= SECRET_MIN && strstr(text, c->secret);
}

/* --- life --- */

static int check_values(const struct kube_config *config, struct error **err)
{
    if (config->token && !kube_header_ok(str_trim(str_of(config->token))))
        return error_set(err, -EINVAL, "the bearer token holds control characters");
    if (config->username && strchr(config->username, ':'))
        return error_set(err, -EINVAL, "the user name holds a colon, which basic authentication cannot carry");
    return 0;
}

static void set_basic(struct credentials *c, const struct kube_config *config)
{
    struct buf plain = BUF_INIT(KUBE_TOKEN_MAX), encoded = BUF_INIT(2 * KUBE_TOKEN_MAX);

    buf_printf(&plain, "%s:%s", config->username ? config->username : "", config->password ? config->password : "");
    base64_encode(&encoded, buf_str(&plain));
    explicit_bzero(plain.p, plain.n);
    buf_done(&plain);
    char *value = buf_take(&encoded, NULL);
    set_header(c, "Basic", value);
    kube_secret_free(value);
}

/* The token to begin with: of the file, or the one that is configured beside it. */
static int first_token(struct credentials *c, const struct kube_config *config, struct error **err)
{
    _cleanup_error_ struct error *e = NULL;
    char *token = NULL;
    int r;

    if (config->token) {
        token = str_dup(str_trim(str_of(config->token)));
        if (token[0])
            use_token(c, token);
        kube_secret_free(TAKE_PTR(token));
    }
    if (!config->token_file)
        return 0;
    c->read_ms = loop_now(c->loop);
    r = kube_file_read_token(config->token_file, &token, &e);
    if (r == 0)
        use_token(c, token);
    kube_secret_free(token);
    return c->header ? 0 : error_set(err, r, "%s", error_msg(e));
}

int credentials_new(struct loop *loop, const struct kube_config *config, const struct credentials_handlers *h,
                    struct credentials **ret, struct error **err)
{
    int r = check_values(config, err);

    if (r < 0)
        return r;
    struct credentials *c = mem_zalloc(sizeof(*c));
    c->loop = loop;
    c->config = config;
    c->handlers = *h;
    c->generation = 1;
    list_init(&c->waiters);
    if (!config->exec && (config->token || config->token_file))
        r = first_token(c, config, err);
    else if (!config->exec && (config->username || config->password))
        set_basic(c, config);
    if (r < 0) {
        credentials_free(c);
        return r;
    }
    *ret = c;
    return 0;
}

void credentials_free(struct credentials *c)
{
    if (!c)
        return;
    exec_cancel(c->run);
    loop_timer_stop(&c->timer);
    loop_task_cancel(&c->wake_task);
    while (!list_empty(&c->waiters))
        list_entry(list_pop(&c->waiters), struct credentials_wait, link)->waiting = false;
    error_free(c->failure);
    kube_secret_free(c->header);
    kube_secret_free(c->secret);
    free(c);
}
