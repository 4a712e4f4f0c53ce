/* When a token is renewed, how, and that nothing of it is left in memory. */
#include "controllers/renewal.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/encode.h"
#include "freed.h"
#include "kube/kube_test.h"

static void four_fifths(void **state)
{
    (void)state;
    assert_int_equal(renewal_due(1000, 2000, 1500), 1800);
    assert_int_equal(renewal_due(1000, 2000, 5000), 1800); /* over: at once */
    assert_int_equal(renewal_due(0, 2000, 1000), 1800);    /* it does not say since when: from now on */
    assert_int_equal(renewal_due(0, 2000, 9000), 2000);
    assert_int_equal(renewal_due(3000, 2000, 1000), 1800); /* nonsense */
    assert_int_equal(renewal_due(1000, 0, 1500), 0);       /* without an end */
    assert_int_equal(renewal_due(1, INT64_MAX, 1500) > 1500, 1);
}

/* --- host and member, in a process of their own: what they free is not ours --- */

#define CLUSTERS "/apis/core.kubefed.io/v1beta1/namespaces/sys/kubefedclusters"
#define SECRET "/api/v1/namespaces/sys/secrets/s-c"
#define TOKEN_OF "/api/v1/namespaces/ns/serviceaccounts/name/token"
#define LATE 4000000000

static char *old_token, *new_token, *old_encoded, *new_encoded;
static pid_t server_pid;

static char *encode(const char *text)
{
    struct buf b = BUF_INIT(4096);

    base64_encode(&b, str_of(text));
    return buf_take(&b, NULL);
}

/* A token of ServiceAccount ns/name. Owned. */
static char *token_until(int64_t exp, const char *signature)
{
    _cleanup_free_ char *claims = mem_printf("{\"iat\":1000,\"exp\":%lld,\"sub\":\"system:serviceaccount:ns:name\"}",
                                             (long long)exp);
    _cleanup_free_ char *payload = encode(claims);

    payload[strcspn(payload, "=")] = '\0';
    for (char *p = payload; *p; p++)
        *p = *p == '+' ? '-' : *p == '/' ? '_' : *p;
    return mem_printf("e30.%s.%s", payload, signature);
}

static void reply_with_clusters(const struct fake_request *req)
{
    _cleanup_free_ char *list = mem_printf(
        "{\"metadata\":{\"resourceVersion\":\"5\"},\"items\":[{\"metadata\":{\"namespace\":\"sys\",\"name\":\"c\",\"uid\":\"u\","
        "\"resourceVersion\":\"4\"},\"spec\":{\"apiEndpoint\":\"http://127.0.0.1:%u\",\"secretRef\":{\"name\":\"s-c\"}}}]}",
        api.raw.port);

    fake_reply(req->conn, 200, NULL, list);
}

static void reply_with_secret(const struct fake_request *req, const char *token, const char *version)
{
    _cleanup_free_ char *secret = mem_printf("{\"metadata\":{\"resourceVersion\":\"%s\"},\"data\":{\"token\":\"%s\"}}",
                                             version, token);

    fake_reply(req->conn, 200, NULL, secret);
}

/* Anything but what is expected is answered so that the renewal does not happen. */
static void handle(struct fake_api *a, const struct fake_request *req)
{
    _cleanup_free_ char *authorization = fake_header(req, "authorization"),
                        *bearer = mem_printf("Bearer %s", old_token),
                        *wanted = mem_printf("{\"data\":{\"token\":\"%s\"},\"metadata\":{\"resourceVersion\":\"7\"}}",
                                             new_encoded),
                        *given = mem_printf("{\"status\":{\"token\":\"%s\"}}", new_token);
    (void)a;
    if (strcmp(req->path, CLUSTERS) == 0 && strstr(req->query, "watch=true"))
        fake_stream_begin(req->conn);
    else if (strcmp(req->path, CLUSTERS) == 0)
        reply_with_clusters(req);
    else if (strcmp(req->path, SECRET) == 0 && strcmp(req->method, "GET") == 0)
        reply_with_secret(req, old_encoded, "7");
    else if (strcmp(req->path, SECRET) == 0 && strcmp(req->body, wanted) == 0)
        reply_with_secret(req, new_encoded, "8");
    else if (strcmp(req->path, TOKEN_OF) == 0 && authorization && strcmp(authorization, bearer) == 0)
        fake_reply(req->conn, 201, NULL, given);
    else
        fake_refuse(req->conn, 403, "Forbidden", "not expected");
}

static void serve(int port_fd)
{
    bool never = false;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (loop_new(&loop, NULL) < 0)
        _exit(1);
    fake_api_start(&api, loop, handle);
    if (write(port_fd, &api.raw.port, sizeof(api.raw.port)) != sizeof(api.raw.port))
        _exit(1);
    loop_run(loop, &never);
    _exit(0);
}

static uint16_t start_server(void)
{
    uint16_t port = 0;
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    server_pid = fork();
    assert_true(server_pid >= 0);
    if (server_pid == 0)
        serve(fds[1]);
    close(fds[1]);
    assert_int_equal(read(fds[0], &port, sizeof(port)), sizeof(port));
    close(fds[0]);
    return port;
}

static int set_up(void **state)
{
    (void)state;
    old_token = token_until(2000, "the-signature-of-the-old-token");
    new_token = token_until(LATE, "the-signature-of-the-new-token");
    old_encoded = encode(old_token);
    new_encoded = encode(new_token);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (server_pid > 0) {
        kill(server_pid, SIGKILL);
        waitpid(server_pid, NULL, 0);
        server_pid = 0;
    }
    free(old_token);
    free(new_token);
    free(old_encoded);
    free(new_encoded);
    return 0;
}

/* --- the renewal --- */

static void on_synced(void *arg)
{
    (void)arg;
}

/* A cluster is connected and its token renewed. How often was this in memory that was freed? */
static unsigned renew(uint16_t port, const char *needle)
{
    struct kube_config *config = kube_config_new();
    struct error *err = NULL;

    config->server = mem_printf("http://127.0.0.1:%u", port);
    assert_ok(loop_new(&loop, &err), err);
    freed_watch(needle);
    struct kube_client *host = new_client(config);
    struct event_recorder *events = event_recorder_new(host);
    struct clusters *registry = clusters_start(
        &(struct clusters_config){ .host = host, .events = events, .system_namespace = "sys", .on_synced = on_synced });
    struct cluster *c;
    WAIT_FOR((c = clusters_find(registry, STR("c"))) && c->token_ends == LATE);
    assert_int_equal(renewal_planned(c) > time_wall_s(), 1);
    clusters_free(registry);
    event_recorder_free(events);
    kube_client_free(host);
    loop_free(loop);
    return freed_stop();
}

/* Neither as it is nor as it stands in the Secret. */
static void nothing_is_left(void **state)
{
    const char *const needles[] = { "the-signature-of-the-old-token", "the-signature-of-the-new-token",
                                    old_encoded + strlen(old_encoded) - 24, new_encoded + strlen(new_encoded) - 24 };
    uint16_t port = start_server();
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(needles); i++) {
        unsigned n = renew(port, needles[i]);
        if (n > 0)
            fail_msg("%s was in %u blocks", needles[i], n);
    }
    if (FREED_IS_WATCHED)
        assert_true(renew(port, "/serviceaccounts/name/token") > 0); /* what is no secret is found */
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(four_fifths),
                                        cmocka_unit_test_setup_teardown(nothing_is_left, set_up, tear_down) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
