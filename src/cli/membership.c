/* See membership.h. */
#include "cli/membership.h"

#include <stdlib.h>

static bool has_separator(const char *name)
{
    return strchr(name, ':') || strchr(name, '/');
}

static int check_flags(const struct cli *cli, struct error **err)
{
    const char *name = cli->member.host_cluster_name;
    if (has_separator(name))
        return error_set(err, -EINVAL, "host-cluster-name may not contain \"/\" or \":\"");
    if (!name[0] && has_separator(cli->common.host_context))
        return error_set(err, -EINVAL,
                         "host-cluster-name must be set if the name of the host cluster context contains one "
                         "of \":\" or \"/\"");
    return 0;
}

/* H: --host-cluster-name, else the host's context, whether given or the current one of the kubeconfig. */
static int host_name(const struct cli *cli, const struct kube_config *config, const char **ret, struct error **err)
{
    const char *name = cli->member.host_cluster_name;
    if (!name[0])
        name = cli->common.host_context;
    if (!name[0])
        name = config->context;
    if (!name || !name[0])
        return error_set(err, -EINVAL,
                         "host-cluster-name must be set: the host cluster has no context name to take instead");
    if (has_separator(name))
        return error_set(err, -EINVAL,
                         "host-cluster-name must be set if the name of the host cluster context contains one "
                         "of \":\" or \"/\" (the current context is \"%s\")",
                         name);
    *ret = name;
    return 0;
}

static int check_names(const struct membership *m, const char *ns, struct error **err)
{
    static const char rule[] = "lower case letters, digits, '-' and '.', beginning and ending with a letter or digit";
    if (!str_is_dns1123_subdomain(str_of(m->cluster)))
        return error_set(err, -EINVAL, "\"%s\" cannot be the name of a cluster: it must be made of %s", m->cluster,
                         rule);
    if (!str_is_dns1123_subdomain(str_of(m->account)))
        return error_set(err, -EINVAL,
                         "\"%s\" cannot be the name of the ServiceAccount in cluster \"%s\": it must be made of "
                         "%s; give a fitting --host-cluster-name",
                         m->account, m->cluster, rule);
    if (!str_is_dns1123_label(str_of(ns)))
        return error_set(err, -EINVAL, "\"%s\" cannot be a namespace: check --kubefed-namespace", ns);
    return 0;
}

bool membership_is_of_other(const struct membership *m, yyjson_val *account)
{
    struct str as = json_str(json_get(json_path(account, "metadata.annotations"), JOINED_AS));
    _cleanup_free_ char *ours = mem_printf("%s/%s", m->cluster, m->host);
    return !str_empty(as) && !str_eqc(as, ours);
}

void membership_done(struct membership *m)
{
    free(m->host);
    free(m->account);
    free(m->role);
    free(m->health_role);
    *m = (struct membership){ 0 };
}

int membership_init(struct cli *cli, struct verb_args args, struct membership *ret, struct remote **ret_host,
                    struct error **err)
{
    _cleanup_membership_ struct membership m = { 0 };
    _cleanup_remote_ struct remote *host = NULL;
    const char *name = NULL;
    int r;

    if (args.n == 0 || !args.v[0][0])
        return error_set(err, -EINVAL, "NAME is required");
    r = check_flags(cli, err);
    if (r == 0)
        r = remote_host(cli, &host, err);
    if (r == 0)
        r = host_name(cli, host->config, &name, err);
    if (r < 0)
        return r;
    m.cluster = args.v[0];
    m.context = cli->member.cluster_context[0] ? cli->member.cluster_context : args.v[0];
    m.host = mem_strdup(name);
    m.account = mem_printf("%s-%s", m.cluster, m.host);
    m.role = mem_printf(MEMBER_ROLE_PREFIX "%s", m.account);
    m.health_role = mem_printf(MEMBER_ROLE_PREFIX "%s:healthcheck-%s", cli->common.ns, m.account);
    r = check_names(&m, cli->common.ns, err);
    if (r < 0)
        return r;
    *ret = m;
    m = (struct membership){ 0 };
    *ret_host = TAKE_PTR(host);
    return 0;
}
