/* See host.h. */
#include "host.h"

#include "base/log.h"
#include "sandbox.h"

static bool given(const char *text)
{
    return text && text[0];
}

static bool is_in_cluster(const struct host_options *o)
{
    return !given(o->kubeconfig) && !given(o->master);
}

int host_load(const struct host_options *o, struct kube_config **ret, struct error **err)
{
    if (is_in_cluster(o))
        return kube_config_in_cluster(ret, err);
    return kube_config_load(
        &(struct kube_config_source){ .kubeconfig = o->kubeconfig, .master = o->master, .no_default_files = true }, ret,
        err);
}

int host_limit_rights(const struct kube_config *config, struct error **err)
{
    /* Members are reached with tokens of Secrets, never with programs. */
    if (!config || !config->exec)
        return sandbox_enter(SANDBOX_LIST, err);
    log_info(
        "System calls are not limited to a list: user \"%s\" of the kubeconfig gets its credentials from a program "
        "(exec), which may need any; the most dangerous ones are refused",
        config->user ? config->user : "");
    return sandbox_enter(SANDBOX_PROGRAMS, err);
}

int host_connect(const struct host_options *o, const struct kube_config *config, struct loop *loop,
                 const char *user_agent, struct kube_client **ret, char **ret_namespace, struct error **err)
{
    const char *ns = NULL;
    if (given(o->system_namespace))
        ns = o->system_namespace;
    else if (is_in_cluster(o))
        ns = config->namespace_;
    if (!given(ns))
        return error_set(err, -EINVAL, "The KubeFed namespace must be specified via --kubefed-namespace");
    int r = kube_client_new(
        config, &(struct kube_client_options){ .loop = loop, .user_agent = user_agent, .connect_backoff = true }, ret,
        err);
    if (r == 0)
        *ret_namespace = mem_strdup(ns);
    return r;
}

int host_check_master(struct str value, struct error **err)
{
    /* Wherever it stands: where user information ends is for parsers to say, and not every URL can be parsed. */
    if (value.n && memchr(value.p, '@', value.n))
        return error_set(
            err, -EINVAL,
            "want a URL without user name and password, since it is logged: have them in a kubeconfig, under "
            "users, and give that with --kubeconfig");
    return 0;
}
