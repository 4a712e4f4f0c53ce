/* The table of verbs, and the flags that several of them share (api-and-cli.md 3.1). */
#include "cli/verb.h"

const struct verb *const verbs[] = {
    &verb_completion, &verb_disable, &verb_doctor, &verb_enable,  &verb_explain_schedule,
    &verb_federate,   &verb_get,     &verb_help,   &verb_join,    &verb_orphaning,
    &verb_plan,       &verb_status,  &verb_unjoin, &verb_version,
};
const size_t n_verbs = ARRAY_SIZE(verbs);

bool verb_is_called(const struct verb *v, struct str name)
{
    return str_eqc(name, v->name) || (v->alias && str_eqc(name, v->alias));
}

const struct verb *verb_find(struct str name)
{
    for (size_t i = 0; i < n_verbs; i++)
        if (verb_is_called(verbs[i], name))
            return verbs[i];
    return NULL;
}

struct flag_set *verb_all_flag_sets(size_t *ret_n)
{
    struct flag_set *sets = NULL;
    size_t n = 0;
    for (size_t i = 0; i < n_verbs; i++)
        n += 1 + verbs[i]->n_children;
    sets = mem_array(n, VERB_MAX_SETS * sizeof(*sets));
    n = 0;
    for (size_t i = 0; i < n_verbs; i++) {
        n += verb_flag_sets(verbs[i], NULL, sets + n);
        for (size_t k = 0; k < verbs[i]->n_children; k++)
            n += verb_flag_sets(&verbs[i]->children[k], NULL, sets + n);
    }
    *ret_n = n;
    return sets;
}

int verb_word(int n, char *const *words)
{
    size_t n_sets;
    _cleanup_free_ struct flag_set *sets = verb_all_flag_sets(&n_sets);
    return flags_first_arg(sets, n_sets, n, words);
}

/* The first is not for verbs that only read. */
static const struct flag common_flags[] = {
    { "dry-run", 0, false, FLAG_BOOL, offsetof(struct common_options, dry_run), NULL,
      "show what would be done and change nothing; clusters are still read" },
    { "host-cluster-context", 0, false, FLAG_STRING, offsetof(struct common_options, host_context), NULL,
      "context of the host cluster in the kubeconfig (default: its current context)" },
    { "kubeconfig", 0, false, FLAG_STRING, offsetof(struct common_options, kubeconfig), NULL,
      "path of the kubeconfig file (default: $KUBECONFIG, else ~/.kube/config)" },
    { "kubefed-namespace", 0, false, FLAG_STRING, offsetof(struct common_options, ns), "kube-federation-system",
      "namespace of the control plane in the host cluster and of its objects in members" },
};

static const struct flag member_flags[] = {
    { "cluster-context", 0, false, FLAG_STRING, offsetof(struct member_options, cluster_context), NULL,
      "context of the member cluster in the kubeconfig (default: CLUSTER_NAME)" },
    { "host-cluster-name", 0, false, FLAG_STRING, offsetof(struct member_options, host_cluster_name), NULL,
      "used in the names of objects in the member instead of the host's context name; without \":\" and \"/\"" },
};

#define LOGGING(field) offsetof(struct logging_options, field)
static const struct flag logging_flags[] = {
    { "add-dir-header", 0, false, FLAG_BOOL, LOGGING(add_dir_header), NULL, "accepted for compatibility" },
    { "alsologtostderr", 0, false, FLAG_BOOL, LOGGING(alsologtostderr), NULL, "accepted for compatibility" },
    { "log-backtrace-at", 0, false, FLAG_STRING, LOGGING(log_backtrace_at), ":0", "accepted for compatibility" },
    { "log-dir", 0, false, FLAG_STRING, LOGGING(log_dir), NULL, "accepted for compatibility; logs go to stderr" },
    { "log-file", 0, false, FLAG_STRING, LOGGING(log_file), NULL, "accepted for compatibility; logs go to stderr" },
    { "log-file-max-size", 0, false, FLAG_UINT, LOGGING(log_file_max_size), "1800", "accepted for compatibility" },
    { "log-flush-frequency", 0, false, FLAG_DURATION, LOGGING(log_flush_frequency), "5s",
      "accepted for compatibility" },
    { "logtostderr", 0, false, FLAG_BOOL, LOGGING(logtostderr), "true", "accepted for compatibility" },
    { "one-output", 0, false, FLAG_BOOL, LOGGING(one_output), NULL, "accepted for compatibility" },
    { "skip-headers", 0, false, FLAG_BOOL, LOGGING(skip_headers), NULL, "accepted for compatibility" },
    { "skip-log-headers", 0, false, FLAG_BOOL, LOGGING(skip_log_headers), NULL, "accepted for compatibility" },
    { "stderrthreshold", 0, false, FLAG_STRING, LOGGING(stderrthreshold), "2", "accepted for compatibility" },
    { "v", 'v', false, FLAG_INT, LOGGING(verbosity), "0", "how much to log; 2 shows each step" },
    { "vmodule", 0, false, FLAG_STRING, LOGGING(vmodule), NULL, "accepted for compatibility" },
};

size_t verb_flag_sets(const struct verb *v, struct verb_options *options, struct flag_set ret[static VERB_MAX_SETS])
{
    size_t n = 0;
    if (v && v->n_flags)
        ret[n++] = (struct flag_set){ v->flags, v->n_flags, options ? options->own : NULL };
    if (v && (v->groups & VERB_MEMBER))
        ret[n++] = (struct flag_set){ member_flags, ARRAY_SIZE(member_flags), options ? &options->member : NULL };
    if (v && (v->groups & VERB_HOST))
        ret[n++] = (struct flag_set){ common_flags + 1, ARRAY_SIZE(common_flags) - 1,
                                      options ? &options->common : NULL };
    if (v && (v->groups & VERB_COMMON))
        ret[n++] = (struct flag_set){ common_flags, ARRAY_SIZE(common_flags), options ? &options->common : NULL };
    ret[n++] = (struct flag_set){ logging_flags, ARRAY_SIZE(logging_flags), options ? &options->logging : NULL };
    return n;
}
