/* See review.h. */
#include "webhook/review.h"

#include "base/encode.h"
#include "json/count.h"

bool review_is_version(struct str api_version)
{
    return str_eqc(api_version, "admission.k8s.io/v1") || str_eqc(api_version, "admission.k8s.io/v1beta1");
}

int review_decode(struct str body, struct review *ret, struct error **err)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    size_t n = json_count_values(body);

    if (n > REVIEW_MAX_VALUES)
        return error_set(err, -EFBIG,
                         "the AdmissionReview has %zu JSON values, and at most %zu are read: make the object smaller",
                         n, REVIEW_MAX_VALUES);
    int r = json_parse(body, &doc, err);
    if (r < 0)
        return r;
    yyjson_val *root = yyjson_doc_get_root(doc), *request = json_get(root, "request");
    struct str version = json_path_str(root, "apiVersion");
    if (!str_eqc(json_path_str(root, "kind"), "AdmissionReview") || !review_is_version(version))
        return error_set(err, -EINVAL, "expected an AdmissionReview of admission.k8s.io/v1 or v1beta1");
    if (!yyjson_is_obj(request))
        return error_set(err, -EINVAL, "the AdmissionReview has no request");
    *ret = (struct review){ .api_version = version,
                            .uid = json_path_str(request, "uid"),
                            .operation = json_path_str(request, "operation"),
                            .group = json_path_str(request, "resource.group"),
                            .resource = json_path_str(request, "resource.resource"),
                            .subresource = json_path_str(request, "subResource"),
                            .object = json_get(request, "object"),
                            .old_object = json_get(request, "oldObject") };
    ret->doc = TAKE_PTR(doc);
    return 0;
}

void review_done(struct review *r)
{
    yyjson_doc_free(r->doc);
    *r = (struct review){ 0 };
}

/* --- answers --- */

static yyjson_mut_val *begin(yyjson_mut_doc *doc, const struct review *r, bool allowed)
{
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc), *response;

    if (r) {
        json_mut_set_str(doc, root, "kind", STR("AdmissionReview"));
        json_mut_set_str(doc, root, "apiVersion", r->api_version);
    }
    response = json_mut_ensure_obj(doc, root, "response");
    json_mut_set_str(doc, response, "uid", r ? r->uid : STR(""));
    json_mut_set_bool(doc, response, "allowed", allowed);
    return response;
}

static void set_status(yyjson_mut_doc *doc, yyjson_mut_val *response, int code, const char *reason, const char *message)
{
    yyjson_mut_val *status = json_mut_ensure_obj(doc, response, "status");

    json_mut_ensure_obj(doc, status, "metadata");
    if (reason) {
        json_mut_set_str(doc, status, "status", STR("Failure"));
        json_mut_set_str(doc, status, "reason", str_of(reason));
    }
    if (message)
        json_mut_set_str(doc, status, "message", str_of(message));
    json_mut_set_i64(doc, status, "code", code);
}

void review_allow(struct buf *out, const struct review *r)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_new();

    set_status(doc, begin(doc, r, true), 200, NULL, NULL);
    json_mut_write(out, yyjson_mut_doc_get_root(doc));
}

void review_patch(struct buf *out, const struct review *r, struct str json_patch)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_new();
    _cleanup_buf_ struct buf text = BUF_INIT(BUF_MAX_DEFAULT);
    yyjson_mut_val *response = begin(doc, r, true);

    base64_encode(&text, json_patch);
    json_mut_set_str(doc, response, "patch", buf_str(&text));
    json_mut_set_str(doc, response, "patchType", STR("JSONPatch"));
    set_status(doc, response, 200, NULL, NULL);
    json_mut_write(out, yyjson_mut_doc_get_root(doc));
}

void review_deny(struct buf *out, const struct review *r, int code, const char *reason, const char *message)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_new();

    set_status(doc, begin(doc, r, false), code, reason, message);
    json_mut_write(out, yyjson_mut_doc_get_root(doc));
}

void review_malformed(struct buf *out, const char *message)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_new();

    set_status(doc, begin(doc, NULL, false), 400, NULL, message);
    json_mut_write(out, yyjson_mut_doc_get_root(doc));
}
