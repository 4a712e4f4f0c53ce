/* From an API server's refusal to a struct error. Pure. For src/kube only. */
#ifndef KUBE_APIERROR_H
#define KUBE_APIERROR_H

#include "base/error.h"

struct api_answer {
    const char *method; /* of the request, for messages */
    struct str path;
    const char *server;
    int status; /* not 2xx */
    struct str content_type, body;
};
/* The code that a status and the reason of a Status object (may be empty) mean; the table is at kube_done_fn. */
int api_error_code(int http_status, struct str reason);
/* Sets *err and returns its code (never 0). */
int api_error_from(const struct api_answer *a, struct error **err);
/* The same for the Status object of a watch's ERROR event. */
struct yyjson_val;
int api_error_from_status(struct yyjson_val *status, struct error **err);

#endif
