/*
 * Kubeconfig files: reading, merging, and picking one context. For src/kube; outsiders use kube/config.h.
 *
 * Files are added in the order of their precedence. Entries point into the parsed documents, which live as long as the
 * struct.
 */
#ifndef KUBE_KUBECONFIG_H
#define KUBE_KUBECONFIG_H

#include "base/map.h"
#include "json/json.h"
#include "kube/config.h"

#define KUBECONFIG_MAX ((size_t)64 << 20)

struct kubeconfig_file {
    char *path, *dir;
    yyjson_doc *doc;
};
struct kubeconfig_entry {
    yyjson_val *value; /* the mapping below "cluster", "user" or "context"; never NULL */
    const struct kubeconfig_file *file;
};
struct kubeconfig {
    struct kubeconfig_file **files;
    size_t n_files, cap_files;
    struct map clusters, users, contexts; /* name: struct kubeconfig_entry */
    char *current;                        /* NULL: none set */
    /* Reads what certificate-authority and its like name; tests put their own here. */
    int (*read_file)(const char *path, size_t max, struct buf *ret, struct error **err);
};

void kubeconfig_init(struct kubeconfig *k);
void kubeconfig_done(struct kubeconfig *k);
#define _cleanup_kubeconfig_ _cleanup_(kubeconfig_done)

/* Adds the text of one file; what earlier files defined stays. Pure. Errors begin with `error loading config file`. */
int kubeconfig_add(struct kubeconfig *k, const char *path, struct str text, struct error **err);
/* Adds the files that the source names, by the rules stated at kube_config_load. */
int kubeconfig_read(struct kubeconfig *k, const struct kube_config_source *source, struct error **err);
/* Was anything defined? An empty file defines nothing. */
bool kubeconfig_is_empty(const struct kubeconfig *k);
/* Resolves one context (NULL or "": the current one), reading the files that its entries name. server_given: the caller
 * replaces the server, so that the cluster need not have one. */
int kubeconfig_resolve(const struct kubeconfig *k, const char *context, bool server_given, struct kube_config **ret,
                       struct error **err);

#endif
