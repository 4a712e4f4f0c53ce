/* The admission webhook: registered, reachable, with certificates that the API server takes (api-and-cli.md 4.6). */
#include <stdlib.h>

#include "base/encode.h"
#include "cli/doctor.h"
#include "net/tls_pem.h"

#define SUBJECT "Webhook"
#define SERVING_SECRET "kubefed-admission-webhook-serving-cert" /* kept by the chart of KubeFed, or by cert-manager */
#define OWN_SECRET "kubefed-admission-webhook-certificate"      /* kept by the webhook itself */
#define SERVING "serving certificate"
#define MAX_PEM ((size_t)4 << 20)
#define MOST_HOOKS 32
#define LOOK "The webhook makes and renews it by itself: its log says why it does not."
#define UPGRADE "Upgrade the chart, which makes the certificates anew (or cert-manager does), then restart the webhook."

static const struct kube_resource res_validating = { STR("admissionregistration.k8s.io"), STR("v1"),
                                                     STR("validatingwebhookconfigurations"), false };
static const struct kube_resource res_mutating = { STR("admissionregistration.k8s.io"), STR("v1"),
                                                   STR("mutatingwebhookconfigurations"), false };
static const struct kube_resource res_services = { STR(""), STR("v1"), STR("services"), true };
static const struct kube_resource res_endpoints = { STR(""), STR("v1"), STR("endpoints"), true };

/* What was looked at already: most webhooks share Service and certificate. */
struct seen {
    uint64_t v[2 * MOST_HOOKS];
    size_t n;
};

/* One webhook of a configuration. */
struct hook {
    struct doctor *d;
    const char *name; /* in findings */
    yyjson_val *hook;
    struct str service, ns;
    bool fails;    /* what it does not answer is refused */
    struct buf ca; /* PEM */
};

static bool is_new(struct seen *s, uint64_t key)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i] == key)
            return false;
    if (s->n == ARRAY_SIZE(s->v))
        return false;
    s->v[s->n++] = key;
    return true;
}

/* --- reachable --- */

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

static void tell_unreachable(const struct hook *h, const char *what)
{
    doctor_addf(
        h->d, SUBJECT, h->name, h->fails ? DOCTOR_FAILURE : DOCTOR_WARNING,
        h->fails
            ? "Start the webhook. Until then the API server refuses changes of these objects, and with them status "
              "updates of clusters and types: what is shown of their health is frozen."
            : "Start the webhook: until then nothing checks these objects.",
        "%s \"%" PRIstr "/%" PRIstr "\"", what, STRARG(h->ns), STRARG(h->service));
}

static int check_reachable(struct hook *h, struct error **err)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_error_ struct error *e = NULL;
    if (remote_get(h->d->host, &res_services, h->ns, h->service, NULL, &e) < 0) {
        if (!is_not_found(e))
            return doctor_unreadable(h->d, SUBJECT, h->name, &e, err);
        tell_unreachable(h, "there is no Service");
        return 0;
    }
    int r = remote_get(h->d->host, &res_endpoints, h->ns, h->service, &doc, &e);
    if (r < 0 && !is_not_found(e))
        return doctor_unreadable(h->d, SUBJECT, h->name, &e, err);
    if (r < 0 || !has_endpoints(yyjson_doc_get_root(doc)))
        tell_unreachable(h, "no pod is behind Service");
    return 0;
}

/* --- certificates --- */

static void judge_serving(struct hook *h, struct str pem, const char *secret, const char *remedy)
{
    _cleanup_free_ char *host = mem_printf("%" PRIstr ".%" PRIstr ".svc", STRARG(h->service), STRARG(h->ns));
    _cleanup_error_ struct error *e = NULL;
    int64_t until;
    size_t n;
    if (tls_pem_verify(pem, buf_str(&h->ca), host, h->d->now, &e) < 0 || tls_pem_first_end(pem, &until, &n, &e) < 0) {
        doctor_addf(h->d, SUBJECT, SERVING, DOCTOR_FAILURE, remedy,
                    "the API server will not take the certificate in Secret %s for %s: %s", secret, host, error_msg(e));
        return;
    }
    enum doctor_verdict v = doctor_judge_end(until, 0, h->d->now);
    _cleanup_free_ char *text = doctor_end_text(until, h->d->now);
    doctor_addf(h->d, SUBJECT, SERVING, v, v == DOCTOR_OK ? NULL : remedy, "that for %s %s", host, text);
}

static void judge_secret(struct hook *h, yyjson_val *secret, const char *name, const char *remedy)
{
    _cleanup_buf_ struct buf pem = BUF_INIT(MAX_PEM);

    if (base64_decode(&pem, json_str(json_get(json_get(secret, "data"), "tls.crt")), NULL) < 0)
        buf_reset(&pem);
    judge_serving(h, buf_str(&pem), name, remedy);
}

static int check_serving(struct hook *h, struct error **err)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_error_ struct error *e = NULL;
    int r = remote_get(h->d->host, &res_secrets, h->ns, STR(OWN_SECRET), &doc, &e);
    if (r == 0) {
        judge_secret(h, yyjson_doc_get_root(doc), OWN_SECRET, LOOK);
        return 0;
    }
    if (!is_not_found(e))
        return doctor_unreadable(h->d, SUBJECT, SERVING, &e, err);
    error_free(TAKE_PTR(e));
    if (remote_get(h->d->host, &res_secrets, h->ns, STR(SERVING_SECRET), &doc, &e) < 0) {
        if (!is_not_found(e))
            return doctor_unreadable(h->d, SUBJECT, SERVING, &e, err);
        doctor_addf(
            h->d, SUBJECT, SERVING, DOCTOR_WARNING,
            "The pods of the chart's webhook do not start without it. Upgrade the chart, or look at cert-manager.",
            "the Secret \"%" PRIstr "/" SERVING_SECRET "\" does not exist", STRARG(h->ns));
        return 0;
    }
    judge_secret(h, yyjson_doc_get_root(doc), SERVING_SECRET, UPGRADE);
    return 0;
}

/* Fills h->ca. Returns whether there is something to trust. */
static bool check_ca(struct hook *h)
{
    struct str data = json_path_str(h->hook, "clientConfig.caBundle");
    _cleanup_error_ struct error *e = NULL;
    int64_t until;
    size_t n;
    if (str_empty(data)) {
        doctor_add(h->d, SUBJECT, h->name, DOCTOR_FAILURE,
                   "it has no caBundle, so the API server trusts no certificate of it",
                   "The webhook puts it there when it keeps its own certificate: its log says why it does not. With "
                   "cert-manager look at the annotation cert-manager.io/inject-ca-from.");
        return false;
    }
    if (base64_decode(&h->ca, data, NULL) < 0 || tls_pem_first_end(buf_str(&h->ca), &until, &n, &e) < 0) {
        doctor_add(h->d, SUBJECT, h->name, DOCTOR_FAILURE, "its caBundle holds no readable certificate", UPGRADE);
        return false;
    }
    enum doctor_verdict v = doctor_judge_end(until, 0, h->d->now);
    _cleanup_free_ char *text = doctor_end_text(until, h->d->now);
    doctor_addf(h->d, SUBJECT, h->name, v == DOCTOR_FAILURE && n > 1 ? DOCTOR_WARNING : v,
                v == DOCTOR_OK ? NULL : UPGRADE, "caBundle %s", text);
    return true;
}

/* --- configurations --- */

static void add_key(struct buf *key, struct str part)
{
    buf_adds(key, part);
    buf_addc(key, '\n');
}

/* Were Service, policy and trust not yet looked at: in this configuration (*ret_new), in any (*ret_serving)? */
static void look_up(struct seen *seen, const struct hook *h, const char *configuration, bool *ret_new,
                    bool *ret_serving)
{
    _cleanup_buf_ struct buf key = BUF_INIT((size_t)64 << 20);
    add_key(&key, h->ns);
    add_key(&key, h->service);
    add_key(&key, json_path_str(h->hook, "clientConfig.caBundle"));
    uint64_t serving = str_hash(buf_str(&key));
    add_key(&key, h->fails ? STR("Fail") : STR("Ignore"));
    add_key(&key, str_of(configuration));
    *ret_new = is_new(seen, str_hash(buf_str(&key)));
    *ret_serving = *ret_new && is_new(seen, serving);
}

static int check_hook(struct doctor *d, const char *configuration, yyjson_val *hook, bool first, struct seen *seen,
                      struct error **err)
{
    struct str own = json_path_str(hook, "name");
    _cleanup_free_ char *name = first ? mem_strdup(configuration)
                                      : mem_printf("%s (%" PRIstr ")", configuration, STRARG(own));
    struct hook h = { .d = d,
                      .name = name,
                      .hook = hook,
                      .service = json_path_str(hook, "clientConfig.service.name"),
                      .ns = json_path_str(hook, "clientConfig.service.namespace"),
                      .fails = !str_eqc(json_path_str(hook, "failurePolicy"), "Ignore"),
                      .ca = BUF_INIT(MAX_PEM) };
    bool is_new_hook, is_new_serving;
    look_up(seen, &h, configuration, &is_new_hook, &is_new_serving);
    if (!is_new_hook)
        return 0;
    bool trusts = check_ca(&h);
    int r = str_empty(h.service) ? 0 : check_reachable(&h, err);
    if (r == 0 && trusts && is_new_serving && !str_empty(h.service))
        r = check_serving(&h, err);
    buf_done(&h.ca);
    return r;
}

static int check_hooks(struct doctor *d, const char *configuration, yyjson_val *object, struct seen *seen,
                       struct error **err)
{
    yyjson_val *hook;
    size_t i, n;
    yyjson_arr_foreach(json_get(object, "webhooks"), i, n, hook)
    {
        int r = i < MOST_HOOKS ? check_hook(d, configuration, hook, i == 0, seen, err) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

static int check_configuration(struct doctor *d, const struct kube_resource *res, const char *base, struct seen *seen,
                               struct error **err)
{
    _cleanup_free_ char *scoped = mem_printf("%s-%" PRIstr, base, STRARG(d->ns));
    const char *const names[] = { base, scoped };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        _cleanup_json_ yyjson_doc *doc = NULL;
        _cleanup_error_ struct error *e = NULL;
        int r = remote_get(d->host, res, STR_NULL, str_of(names[i]), &doc, &e);
        if (r == 0)
            r = check_hooks(d, names[i], yyjson_doc_get_root(doc), seen, err);
        else
            r = is_not_found(e) ? 0 : doctor_unreadable(d, SUBJECT, names[i], &e, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int doctor_webhook(struct doctor *d, struct error **err)
{
    struct seen seen = { .n = 0 };
    size_t before = d->n_findings;
    int r = check_configuration(d, &res_validating, "validations.core.kubefed.io", &seen, err);
    if (r == 0)
        r = check_configuration(d, &res_mutating, "mutation.core.kubefed.io", &seen, err);
    if (r == 0 && d->n_findings == before)
        doctor_add(d, SUBJECT, "configuration", DOCTOR_OK,
                   "none is registered; the controller manager checks objects itself", NULL);
    return r;
}
