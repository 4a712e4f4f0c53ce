/* Certificate and key from files tls.crt and tls.key of a folder, read again when they change. */
#ifndef WEBHOOK_CERT_FILES_H
#define WEBHOOK_CERT_FILES_H

#include "net/loop.h"
#include "net/tls_server.h"

/* A pair to serve from now on, and until when its certificate is valid (seconds since the epoch). Keep a reference. */
typedef void cert_fn(void *arg, struct tls_server *tls, int64_t valid_until);

struct cert_files;
/* Calls fn before it returns. -ENOENT etc. when the files cannot be read or do not fit together: that is for the first time only;
 * later, the last good pair stays and a warning is logged. */
int cert_files_start(struct loop *l, const char *folder, cert_fn *fn, void *arg, struct cert_files **ret,
                     struct error **err);
/* Looks every so often instead of every 5 s, from now on. For tests. */
void cert_files_set_period(struct cert_files *f, uint64_t ms);
void cert_files_free(struct cert_files *f); /* NULL is fine */

#endif
