/*
 * Where an API server is and how to talk to it: kubeconfig files with the rules of kubectl, in-cluster settings, or
 * values put together by hand (members: from KubeFedCluster and its Secret).
 */
#ifndef KUBE_CONFIG_H
#define KUBE_CONFIG_H

#include "base/buf.h"
#include "base/error.h"
#include "net/tls.h"

struct kube_exec_env {
    char *name, *value;
};
/* users[].user.exec: a credential plugin (client.authentication.k8s.io/v1 and v1beta1). */
struct kube_exec {
    char *api_version, *command;
    char **args;               /* NULL-terminated */
    struct kube_exec_env *env; /* ends with name NULL */
    char *install_hint;
    char *cluster_config; /* JSON of the cluster's extension client.authentication.k8s.io/exec, or NULL */
    bool provide_cluster_info;
    int interactive; /* 0 Never, 1 IfAvailable, 2 Always */
};

/* One resolved connection. Every pointer owned; NULL means not set. */
struct kube_config {
    char *server;    /* URL, maybe with a path prefix */
    char *proxy_url; /* http, https, socks5; NULL: from HTTPS_PROXY/HTTP_PROXY/NO_PROXY */
    char *tls_server_name;
    unsigned tls_skip;                    /* enum tls_skip */
    int64_t verify_at;                    /* time for the check of certificates; 0: now */
    struct buf ca_pem, cert_pem, key_pem; /* inline data or files, read at load time */
    char *ca_file;                        /* where ca_pem came from, NULL when inline */
    char *token, *token_file;             /* a token file is read again every minute and after a 401 */
    char *username, *password;
    struct kube_exec *exec;
    char *as_user, *as_uid;         /* impersonation */
    char **as_groups;               /* NULL-terminated */
    char **as_extra;                /* "key=value", NULL-terminated */
    char *namespace_;               /* of the context, NULL when not set */
    char *context, *cluster, *user; /* names in the kubeconfig; NULL in-cluster */
};

struct kube_config *kube_config_new(void);
void kube_config_free(struct kube_config *c);
DEFINE_CLEANUP(struct kube_config *, kube_config_free)
#define _cleanup_kube_config_ _cleanup_(kube_config_freep)

/* What a member is reached with: values of a KubeFedCluster and the token of its Secret. */
struct kube_config_parts {
    const char *server, *proxy_url; /* proxy_url NULL or "": as the environment says */
    struct str ca_pem;              /* empty: the system's roots */
    unsigned tls_skip;              /* enum tls_skip */
    struct str token;               /* empty: none */
    int64_t verify_at;              /* time for the check of certificates, in seconds since the epoch; 0: now */
};
/* Everything is copied. -EFBIG: the authorities are too large. */
int kube_config_from_parts(const struct kube_config_parts *parts, struct kube_config **ret, struct error **err);

struct kube_config_source {
    const char *kubeconfig;   /* --kubeconfig: exactly this file; NULL/"": $KUBECONFIG list, else ~/.kube/config */
    const char *context;      /* NULL/"": current-context */
    const char *master;       /* overrides the server; NULL/"": none */
    bool no_default_files;    /* only `kubeconfig` (controller-manager: $KUBECONFIG is not consulted) */
    bool in_cluster_fallback; /* use the service account when no kubeconfig exists at all */
};
/* Merge rules of kubectl: first file wins per name, current-context of the first that sets it; missing files of the
 * list are skipped; relative paths inside a file are relative to it. Errors name file, line or entry, and what to do:
 * unreadable file, malformed YAML (line and column), `context "x" does not exist`, missing cluster or user entry,
 * unreadable CA/certificate/key/token file, empty CA file, no configuration at all (texts of api-and-cli.md 3.1). */
int kube_config_load(const struct kube_config_source *source, struct kube_config **ret, struct error **err);
/* /var/run/secrets/kubernetes.io/serviceaccount and KUBERNETES_SERVICE_HOST/PORT. -ENOENT when not in a cluster; -EINVAL: the
 * CA file is empty. */
int kube_config_in_cluster(struct kube_config **ret, struct error **err);
/* Names of all contexts and the current one (for messages and completion). Owned, NULL-terminated, sorted. */
int kube_config_contexts(const struct kube_config_source *source, char ***ret, char **ret_current, struct error **err);

#endif
