/* Reading the small files that configuration and credentials consist of. */
#ifndef KUBE_FILE_H
#define KUBE_FILE_H

#include "base/buf.h"
#include "base/error.h"

#define KUBE_TOKEN_MAX ((size_t)1 << 20)
#define KUBE_PEM_MAX ((size_t)16 << 20)

/* Reads a whole regular file of at most `max` bytes, without ever waiting for another process: it may be called while the loop
 * runs. *ret is owned, and a secret buffer, since it may be a key. Messages as Go words them: "open <path>: no such file or
 * directory"; -EFBIG beyond max, -EISDIR, -EINVAL for pipes, sockets and devices. */
int kube_file_read(const char *path, size_t max, struct buf *ret, struct error **err);

/* The same for what is read at the start of a program only: also pipes, as `<(command)` makes them, and devices such as
 * /dev/null. Waits 10 s for their writers, all in all: -ETIMEDOUT. */
int kube_file_read_once(const char *path, size_t max, struct buf *ret, struct error **err);

/* A bearer token: the file without white space at its ends. -EINVAL when empty or not fit for a header. Owned. */
int kube_file_read_token(const char *path, char **ret, struct error **err);

/* Frees a string after its bytes were cleared; NULL is fine. For credentials. */
void kube_secret_free(char *s);

/* May the value stand in a header: no control characters? */
bool kube_header_ok(struct str s);

#endif
