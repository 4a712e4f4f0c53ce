/* The admission webhook: registered, reachable, with certificates that the API server will take (api-and-cli.md 4.6). */
#include <stdlib.h>

#include "base/encode.h"
#include "cli/doctor.h"
#include "net/tls_pem.h"

#define SUBJECT "Webhook"
#define SERVING_SECRET "kubefed-admission-webhook-serving-cert"
#define MAX_PEM ((size_t)4 << 20)

static const struct kube_resource res_validating = { STR("admissionregistration.k8s.io"), STR("v1"),
                                                     STR("validatingwebhookconfigurations"), false };
static const struct kube_resource res_mutating = { STR("admissionregistration.k8s.io"), STR("v1"),
                                                   STR("mutatingwebhookconfigurations"), false };
static const struct kube_resource res_endpoints = { STR(""), STR("v1"), STR("endpoints"), true };

/* One webhook of a configuration. */
struct hook {
    struct doctor *d;
    const char *name; /* of the configuration */
    yyjson_val *hook;
    struct str service, ns;
    struct buf ca; /* PEM */
};

static bool has_endpoints(yyjson_val *endpoints)
{
    yyjson_val *item;
    size_t i, n;
    yyjson_arr_foreach(json_get(endpoints, "subsets"), i, n, item)
    {
        if (yyjson_arr_size(json_get(item, "addresses")))
            return true;
    }
    return false;
}

static int check_endpoints(struct hook *h, struct error **err)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_error_ struct error *e = NULL;
    bool fails = !str_eqc(json_path_str(h->hook, "failurePolicy"), "Ignore");
    int r = remote_get(h->d->host, &res_endpoints, h->ns, h->service, &doc, &e);
    if (r < 0 && !is_not_found(e))
        return doctor_unreadable(h->d, SUBJECT, h->name, &e, err);
    if (r == 0 && has_endpoints(yyjson_doc_get_root(doc)))
        return 0;
    doctor_addf(
        h->d, SUBJECT, h->name, fails ? DOCTOR_FAILURE : DOCTOR_WARNING,
        fails ? "Start the webhook. Until then the API server refuses changes of these objects, and with them status "
                "updates of clusters and types: what is shown of their health is frozen."
              : "Start the webhook: until then nothing checks these objects.",
        "no pod is behind Service \"%" PRIstr "/%" PRIstr "\"", STRARG(h->ns), STRARG(h->service));
    return 0;
}

static int check_serving(struct hook *h, struct error **err)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_error_ struct error *e = NULL;
    _cleanup_buf_ struct buf cert = BUF_INIT(MAX_PEM);
    _cleanup_free_ char *host = mem_printf("%" PRIstr ".%" PRIstr ".svc", STRARG(h->service), STRARG(h->ns));
    if (remote_get(h->d->host, &res_secrets, h->ns, STR(SERVING_SECRET), &doc, &e) < 0)
        return is_not_found(e) ? 0 : doctor_unreadable(h->d, SUBJECT, "serving certificate", &e, err);
    struct str data = json_str(json_get(json_get(yyjson_doc_get_root(doc), "data"), "tls.crt"));
    if (base64_decode(&cert, data, NULL) < 0)
        buf_reset(&cert);
    if (tls_pem_verify(buf_str(&cert), buf_str(&h->ca), host, h->d->now, &e) < 0)
        doctor_addf(
            h->d, SUBJECT, "serving certificate", DOCTOR_FAILURE,
            "Make certificate and caBundle anew (upgrade the chart, or cert-manager), then restart the webhook.",
            "the API server will not take the certificate in Secret " SERVING_SECRET " for %s: %s", host, error_msg(e));
    return 0;
}

static int check_ca(struct hook *h)
{
    struct str data = json_path_str(h->hook, "clientConfig.caBundle");
    _cleanup_error_ struct error *e = NULL;
    int64_t until;
    size_t n;
    h->ca = BUF_INIT(MAX_PEM);
    if (str_empty(data)) {
        doctor_add(h->d, SUBJECT, h->name, DOCTOR_FAILURE,
                   "it has no caBundle, so the API server trusts no certificate of it",
                   "Upgrade the chart; with cert-manager look at the annotation cert-manager.io/inject-ca-from.");
        return -EINVAL;
    }
    if (base64_decode(&h->ca, data, NULL) < 0 || tls_pem_first_end(buf_str(&h->ca), &until, &n, &e) < 0) {
        doctor_add(h->d, SUBJECT, h->name, DOCTOR_FAILURE, "its caBundle holds no readable certificate",
                   "Upgrade the chart.");
        return -EINVAL;
    }
    enum doctor_verdict v = doctor_judge_end(until, 0, h->d->now);
    _cleanup_free_ char *text = doctor_end_text(until, h->d->now);
    doctor_addf(h->d, SUBJECT, h->name, v,
                v == DOCTOR_OK ? NULL : "Upgrade the chart, which makes the certificates anew.", "caBundle %s", text);
    return 0;
}

static int check_hook(struct doctor *d, const char *name, yyjson_val *hook, struct error **err)
{
    struct hook h = { .d = d,
                      .name = name,
                      .hook = hook,
                      .service = json_path_str(hook, "clientConfig.service.name"),
                      .ns = json_path_str(hook, "clientConfig.service.namespace") };
    int r = check_ca(&h);
    bool known = r == 0;
    r = str_empty(h.service) ? 0 : check_endpoints(&h, err);
    if (r == 0 && known && !str_empty(h.service))
        r = check_serving(&h, err);
    buf_done(&h.ca);
    return r;
}

/* All webhooks of a configuration share Service and certificate: the first speaks for them. */
static int check_configuration(struct doctor *d, const struct kube_resource *res, const char *base, bool *ret_found,
                               struct error **err)
{
    _cleanup_free_ char *scoped = mem_printf("%s-%" PRIstr, base, STRARG(d->ns));
    const char *const names[] = { base, scoped };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        _cleanup_json_ yyjson_doc *doc = NULL;
        _cleanup_error_ struct error *e = NULL;
        int r = remote_get(d->host, res, STR_NULL, str_of(names[i]), &doc, &e);
        if (r < 0 && !is_not_found(e))
            return doctor_unreadable(d, SUBJECT, names[i], &e, err);
        yyjson_val *first = yyjson_arr_get_first(json_get(yyjson_doc_get_root(doc), "webhooks"));
        if (r < 0 || !first)
            continue;
        *ret_found = true;
        r = check_hook(d, names[i], first, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int doctor_webhook(struct doctor *d, struct error **err)
{
    bool found = false;
    int r = check_configuration(d, &res_validating, "validations.core.kubefed.io", &found, err);
    if (r == 0)
        r = check_configuration(d, &res_mutating, "mutation.core.kubefed.io", &found, err);
    if (r == 0 && !found)
        doctor_add(d, SUBJECT, "configuration", DOCTOR_OK,
                   "none is registered; the controller manager checks objects itself", NULL);
    return r;
}
