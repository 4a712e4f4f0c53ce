/* See member.h. */
#include "cli/member.h"

#include <stdlib.h>

#include "base/encode.h"
#include "fed/names.h"

#define MAX_TOKEN ((size_t)1 << 20)
#define MAX_BODY ((size_t)64 << 20)
#define TIMEOUT_MS 10000u

int member_open_with(struct cli *cli, const char *name, const struct kube_config_parts *parts, struct remote **ret,
                     struct error **err)
{
    _cleanup_remote_ struct remote *r = mem_zalloc(sizeof(*r));
    struct kube_client_options options = { .user_agent = "kubefedctl" };
    int k = cli_loop(cli, &options.loop, err);
    if (k == 0)
        k = kube_config_from_parts(parts, &r->config, err);
    if (k == 0)
        k = kube_client_new(r->config, &options, &r->client, err);
    if (k < 0)
        return k;
    r->cli = cli;
    r->where = mem_printf("cluster \"%s\" (server %s)", name, kube_client_server(r->client));
    *ret = TAKE_PTR(r);
    return 0;
}

static int read_token(struct remote *host, const struct fed_cluster *c, struct buf *ret, struct error **err)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    int r = remote_get(host, &res_secrets, str_of(host->cli->common.ns), str_of(c->secret_name), &doc, err);
    if (r < 0)
        return error_wrap(err, "cannot read the Secret \"%s/%s\" of cluster \"%s\"", host->cli->common.ns,
                          c->secret_name, c->name);
    struct str encoded = json_path_str(yyjson_doc_get_root(doc), "data.token");
    if (str_empty(encoded) || base64_decode(ret, encoded, NULL) < 0 || ret->n == 0)
        return error_set(err, -EINVAL, "the Secret \"%s/%s\" of cluster \"%s\" has no usable key \"%s\"",
                         host->cli->common.ns, c->secret_name, c->name, FED_TOKEN_KEY);
    return 0;
}

int member_open(struct remote *host, yyjson_val *kfc, struct remote **ret, struct error **err)
{
    struct fed_cluster *c = NULL;
    struct buf token = BUF_INIT(MAX_TOKEN);
    int r = fed_cluster_decode(kfc, &c, err);
    if (r < 0)
        return error_wrap(err, "KubeFedCluster \"%" PRIstr "\"", STRARG(json_path_str(kfc, "metadata.name")));
    r = read_token(host, c, &token, err);
    if (r == 0) {
        struct kube_config_parts parts = { c->api_endpoint, c->proxy_url, c->ca_pem, c->tls_skip, buf_str(&token) };
        r = member_open_with(host->cli, c->name, &parts, ret, err);
    }
    if (token.p)
        explicit_bzero(token.p, token.n);
    buf_done(&token);
    fed_cluster_free(c);
    return r;
}

/* --- many at a time --- */

struct batch {
    struct cli *cli;
    size_t open;
    bool over;
};

struct item {
    struct batch *batch;
    struct remote_batch *b;
    struct kube_call *call;
};

static void on_done(void *arg, const struct kube_response *resp, const struct error *err)
{
    struct item *i = arg;
    i->call = NULL;
    if (err)
        error_set_http(&i->b->error, err->code, err->http_status, str_of(err->reason), "%s", err->msg);
    else if (resp->body.n && json_parse(resp->body, &i->b->answer, &i->b->error) < 0)
        i->b->answer = NULL;
    if (--i->batch->open == 0) {
        i->batch->over = true;
        loop_stop(i->batch->cli->loop);
    }
}

static void send(struct item *i)
{
    const struct remote_request *r = &i->b->req;
    _cleanup_free_ char *path = r->resource ? kube_path(r->resource, r->ns, r->name, r->sub) : str_dup(r->name);
    _cleanup_buf_ struct buf body = BUF_INIT(MAX_BODY);
    if (r->body)
        json_mut_write(&body, r->body);
    struct kube_request request = { .method = r->method,
                                    .path = str_of(path),
                                    .query = r->query,
                                    .content_type = r->content_type,
                                    .timeout_ms = i->b->timeout_ms ? i->b->timeout_ms : TIMEOUT_MS,
                                    .body = buf_str(&body) };
    i->call = kube_call(i->b->to->client, &request, on_done, i);
}

int remote_do_all(struct cli *cli, struct remote_batch *v, size_t n, struct error **err)
{
    struct batch batch = { .cli = cli, .open = n };
    if (n == 0)
        return 0;
    _cleanup_free_ struct item *items = mem_array(n, sizeof(*items));
    for (size_t i = 0; i < n; i++) {
        items[i] = (struct item){ .batch = &batch, .b = &v[i] };
        send(&items[i]);
    }
    while (!batch.over && !cli->interrupted)
        loop_run(cli->loop, &batch.over);
    for (size_t i = 0; i < n; i++)
        if (items[i].call)
            kube_call_cancel(items[i].call);
    return cli->interrupted ? error_set(err, -ECANCELED, "interrupted") : 0;
}

void remote_batch_done(struct remote_batch *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        yyjson_doc_free(v[i].answer);
        error_free(v[i].error);
    }
    free(v);
}
