/*
 * The HTTP server behind a socket pair. The first byte says how: 1 HTTP/2, 2 the client reads nothing, 4 in small pieces, 8 (HTTP/2)
 * without the preface that is sent otherwise. The rest is what the client sends. No body is larger than allowed, what comes back
 * is HTTP, as many answers as requests at the most, and nothing is left behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "net/server_internal.h"

#define MAX_BODY ((size_t)5000)

static struct loop *loop;
static struct http_server *server;
static size_t handled;
static struct buf out;

static void serve(void *arg, const struct http_server_request *req, struct http_server_response *resp)
{
    (void)arg;
    handled++;
    FUZZ_CHECK(req->method.n <= 64 && req->body.n <= MAX_BODY);
    for (size_t i = 0; i < req->n_headers; i++)
        FUZZ_CHECK(req->headers[i].name.n > 0);
    resp->status = req->path.n % 7 ? 200 : 301;
    resp->location = resp->status == 301 ? "/x" : NULL;
    for (size_t i = 0; i < req->query.n % 5; i++)
        buf_printf(&resp->body, "%10000d", 5);
}

struct rounds {
    struct loop_task task;
    int left;
    bool done;
};

/* A task that waits keeps the loop from waiting. */
static void on_round(void *arg)
{
    struct rounds *r = arg;

    if (r->left-- > 0)
        loop_defer(loop, &r->task, on_round, r);
    else
        r->done = true;
}

/* What can happen at once happens. */
static void turn(void)
{
    struct rounds r = { .left = 2 };

    loop_defer(loop, &r.task, on_round, &r);
    loop_run(loop, &r.done);
}

static void hear(int fd)
{
    static char piece[65536];
    ssize_t n;

    while ((n = recv(fd, piece, sizeof(piece), MSG_DONTWAIT)) > 0)
        buf_add(&out, piece, (size_t)n);
}

static void talk(int fd, struct str text, size_t piece, bool deaf)
{
    while (text.n) {
        ssize_t n = send(fd, text.p, MIN(piece, text.n), MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0 && errno != EAGAIN)
            return;
        text = str_n(text.p + MAX(n, (ssize_t)0), text.n - (size_t)MAX(n, (ssize_t)0));
        turn();
        if (!deaf)
            hear(fd);
        if (n < 0 && deaf)
            return;
    }
}

static void check_h1(void)
{
    size_t answers = 0;

    FUZZ_CHECK(out.n == 0 || str_has_prefix(buf_str(&out), STR("HTTP/1.1 ")));
    for (const char *p = out.p; p && (p = memmem(p, (size_t)(out.p + out.n - p), "HTTP/1.1 ", 9)); p += 9)
        answers += strncmp(p + 9, "100", 3) != 0;
    FUZZ_CHECK(answers <= handled + 1); /* and one refusal */
}

static void check_h2(void)
{
    const unsigned char *p = (const unsigned char *)out.p;
    size_t n = out.n;

    while (n >= 9) {
        size_t length = (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2];
        FUZZ_CHECK(length <= 16384 && p[3] < 10);
        if (n < 9 + length)
            return;
        p += 9 + length;
        n -= 9 + length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    int fds[2];

    if (size < 1)
        return 0;
    bool h2 = data[0] & 1, deaf = data[0] & 2;
    size_t piece = data[0] & 4 ? (size_t)(data[0] >> 4) + 1 : SIZE_MAX;
    if (!loop)
        FUZZ_CHECK(loop_new(&loop, NULL) == 0);
    FUZZ_CHECK(http_server_new(loop, STR("127.0.0.1:0"), MAX_BODY, serve, NULL, &server, NULL) == 0);
    FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    handled = 0;
    out = BUF_INIT((size_t)256 << 20);
    FUZZ_CHECK(server_adopt(server, fds[0], h2) == 0);
    if (h2 && !(data[0] & 8))
        talk(fds[1], str_n(preface, sizeof(preface) - 1), SIZE_MAX, deaf);
    talk(fds[1], str_n((const char *)data + 1, size - 1), piece, deaf);
    for (int i = 0; i < 3; i++) {
        turn();
        hear(fds[1]);
    }
    if (h2)
        check_h2();
    else
        check_h1();
    close(fds[1]);
    turn();
    http_server_free(server);
    turn();
    buf_done(&out);
    return 0;
}
