/* What the tests of src/kube with a fake API server share: one loop, waiting with a limit, calls that remember how they
 * ended. Everything is static, so that each program has its own. */
#ifndef KUBE_TEST_H
#define KUBE_TEST_H

#include "fake_api.h"
#include "unit.h"

static struct loop *loop;
static struct fake_api api;

static void set_flag(void *arg)
{
    *(bool *)arg = true;
}

/* One round of the loop, 1 ms at most. */
static _unused_ void turn(void)
{
    struct loop_timer t = { 0 };
    bool over = false;

    loop_timer_start(loop, &t, 1, set_flag, &over);
    assert_int_equal(loop_run(loop, &over), 0);
}

static _unused_ void run_for(uint64_t ms)
{
    uint64_t until = time_mono_ms() + ms;

    while (time_mono_ms() < until)
        turn();
}

/* Turns the loop until the condition holds. */
#define WAIT_FOR(cond)                                                                                                 \
    do {                                                                                                               \
        uint64_t _until = time_mono_ms() + 20000;                                                                      \
        while (!(cond)) {                                                                                              \
            if (time_mono_ms() > _until)                                                                               \
                fail_msg("did not happen: %s (requests: %s)", #cond, api.log.p);                                       \
            turn();                                                                                                    \
        }                                                                                                              \
    } while (0)

/* How a call ended. Zeroed before use. */
struct answer {
    bool done;
    int code, http, status;
    char *msg, *reason, *body;
    struct kube_client **free_client;
};

static _unused_ void answer_done(struct answer *a)
{
    free(a->msg);
    free(a->reason);
    free(a->body);
    *a = (struct answer){ 0 };
}
#define _cleanup_answer_ _cleanup_(answer_done)

static _unused_ void on_answer(void *arg, const struct kube_response *resp, const struct error *err)
{
    struct answer *a = arg;

    assert_false(a->done);
    assert_true(resp || err);
    a->done = true;
    a->code = err ? err->code : 0;
    a->http = error_http(err);
    a->msg = err ? mem_strdup(err->msg) : NULL;
    a->reason = err ? mem_strdup(err->reason) : NULL;
    a->status = resp ? resp->status : 0;
    a->body = resp ? str_dup(resp->body) : NULL;
    if (a->free_client)
        kube_client_free(TAKE_PTR(*a->free_client));
}

/* A client of the fake server. Takes the config over; NULL: the plain one. */
static _unused_ struct kube_client *new_client(struct kube_config *config)
{
    _cleanup_kube_config_ struct kube_config *c = config ? config : fake_config(&api, "");
    struct kube_client *client = NULL;
    struct error *err = NULL;

    assert_ok(kube_client_new(c, &(struct kube_client_options){ .loop = loop, .user_agent = "test" }, &client, &err),
              err);
    return client;
}

static _unused_ struct kube_call *get(struct kube_client *c, const char *path, struct answer *a)
{
    return kube_call(c, &(struct kube_request){ .method = "GET", .path = str_of(path) }, on_answer, a);
}

static _unused_ struct kube_client_stats stats_of(const struct kube_client *c)
{
    struct kube_client_stats s;

    kube_client_get_stats(c, &s);
    return s;
}

#endif
