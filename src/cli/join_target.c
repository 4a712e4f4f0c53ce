/*
 * How the control plane will reach the member (api-and-cli.md 3.2 step 10): from the kubeconfig, as KubeFed takes it, or from the
 * flags --cluster-..., for members that are reached otherwise from there than from here.
 */
#include <stdlib.h>

#include "cli/join.h"
#include "fed/cluster.h"
#include "kube/config.h"
#include "net/tls.h"

#define MAX_CA ((size_t)4 << 20)

static int read_ca_file(struct join *j, struct error **err)
{
    int64_t from, until;
    int r = cli_read_file(j->options->ca_file, &j->target.ca_pem, err);
    if (r == 0 && j->target.ca_pem.n > MAX_CA)
        r = error_set(err, -EFBIG, "it is larger than %zu MiB", MAX_CA >> 20);
    if (r == 0)
        r = tls_pem_validity(buf_str(&j->target.ca_pem), &from, &until, err);
    return r < 0 ? error_wrap(err, "--cluster-certificate-authority %s", j->options->ca_file) : 0;
}

static int take_ca(struct join *j, struct error **err)
{
    struct str pem = buf_str(&j->member->config->ca_pem);
    j->target.ca_pem = BUF_INIT(MAX_CA);
    if (j->options->ca_file[0])
        return read_ca_file(j, err);
    if (buf_adds(&j->target.ca_pem, pem) < 0)
        return error_set(err, -EFBIG, "the certificate authority of the %s is larger than %zu MiB", j->member->where,
                         MAX_CA >> 20);
    return 0;
}

/* insecure-skip-tls-verify of the kubeconfig becomes "*", and its authority is stored all the same. */
static int take_checks(struct join *j, struct error **err)
{
    static const struct {
        const char *word;
        unsigned bit;
    } checks[] = { { "*", FED_TLS_SKIP_ALL },
                   { "SubjectName", FED_TLS_SKIP_NAME },
                   { "ValidityPeriod", FED_TLS_SKIP_VALIDITY } };
    const struct flag_list *given = &j->options->skip_checks;
    j->target.skip = given->n == 0 && (j->member->config->tls_skip & TLS_SKIP_ALL) ? FED_TLS_SKIP_ALL : 0;
    for (size_t i = 0; i < given->n; i++) {
        size_t k = 0;
        while (k < ARRAY_SIZE(checks) && strcmp(given->v[i], checks[k].word) != 0)
            k++;
        if (k == ARRAY_SIZE(checks))
            return error_set(err, -EINVAL,
                             "\"%s\" is no check that can be disabled: --cluster-disabled-tls-validations takes *, "
                             "SubjectName and ValidityPeriod",
                             given->v[i]);
        j->target.skip |= checks[k].bit;
    }
    if ((j->target.skip & FED_TLS_SKIP_ALL) && j->target.skip != FED_TLS_SKIP_ALL)
        return error_set(err, -EINVAL, "--cluster-disabled-tls-validations: * stands for all of them, and alone");
    return 0;
}

static int take_proxy(struct join *j, struct error **err)
{
    const char *given = j->options->proxy_url, *url = given[0] ? given : j->member->config->proxy_url;
    static const char *const schemes[] = { "http://", "https://", "socks5://" };
    if (!url || !url[0])
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
        if (str_has_prefix(str_of(url), str_of(schemes[i])))
            j->target.proxy_url = mem_strdup(url);
    if (!j->target.proxy_url)
        return error_set(
            err, -EINVAL,
            "failed to create proxy URL request for kubefed cluster: proxy URL scheme must be one of: [http, "
            "https, socks5]");
    return 0;
}

static int take_endpoint(struct join *j, struct error **err)
{
    const char *given = j->options->endpoint;
    j->target.endpoint = mem_strdup(given[0] ? given : j->member->config->server);
    int r = fed_endpoint_parse(str_of(j->target.endpoint), &j->target.url, err);
    if (r < 0 && given[0])
        return error_wrap(err, "--cluster-endpoint");
    return r < 0 ? error_wrap(err, "the server of the %s cannot be an apiEndpoint", j->member->where) : 0;
}

static int take_token_kind(struct join *j, struct error **err)
{
    static const char *const words[] = { "auto", "secret", "request" };
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (strcmp(j->options->token_kind, words[i]) == 0) {
            j->token_kind = (enum join_token_kind)i;
            return 0;
        }
    return error_set(err, -EINVAL, "--cluster-token %s: it must be auto, secret or request", j->options->token_kind);
}

int join_target(struct join *j, struct error **err)
{
    int r = take_token_kind(j, err);
    if (r == 0)
        r = take_endpoint(j, err);
    if (r == 0)
        r = take_proxy(j, err);
    if (r == 0)
        r = take_checks(j, err);
    if (r == 0)
        r = take_ca(j, err);
    j->target.ca_known = j->target.ca_pem.n > 0;
    j->target.chosen = j->options->endpoint[0] || j->options->proxy_url[0];
    return r;
}
