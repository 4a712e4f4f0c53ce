/* Reading the small files that configuration and credentials consist of. For src/kube only. */
#ifndef KUBE_FILE_H
#define KUBE_FILE_H

#include "base/buf.h"
#include "base/error.h"

#define KUBE_TOKEN_MAX ((size_t)1 << 20)
#define KUBE_PEM_MAX ((size_t)16 << 20)

/* Reads a whole file of at most `max` bytes. Pipes are read too, but never waited for longer than 10 s. *ret is owned.
 * Messages as Go words them: "open <path>: no such file or directory"; -EFBIG beyond max, -ETIMEDOUT. */
int kube_file_read(const char *path, size_t max, struct buf *ret, struct error **err);

/* A bearer token: the file without white space at its ends. -EINVAL when empty or not fit for a header. Owned. */
int kube_file_read_token(const char *path, char **ret, struct error **err);

/* Frees a string after its bytes were cleared; NULL is fine. For credentials. */
void kube_secret_free(char *s);

/* May the value stand in a header: no control characters? */
bool kube_header_ok(struct str s);

#endif
