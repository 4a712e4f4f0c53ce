/* The words of a schedule: why a cluster got its number, and what in a preference cannot be fulfilled. See schedule.h. */
#include <stdlib.h>

#include "base/rtime.h"
#include "fed/schedule.h"

static void add_duration(struct buf *out, int64_t seconds)
{
    char text[32];

    duration_format(MIN(seconds, INT64_MAX / NSEC_PER_SEC) * NSEC_PER_SEC, text);
    buf_addz(out, text);
}

/* --- why --- */

static int64_t sum_of_weights(const struct fed_schedule *s)
{
    int64_t sum = 0;

    for (size_t i = 0; i < s->n; i++)
        if (s->shares[i].role == FED_ROLE_CANDIDATE)
            sum += s->shares[i].weight;
    return sum;
}

static void add_weight(const struct fed_schedule_input *in, const struct fed_schedule *s, size_t i, struct buf *out)
{
    const struct fed_schedule_cluster *c = &in->clusters[i];
    int64_t sum = sum_of_weights(s);

    if (in->preference->strategy == FED_BY_FREE_RESOURCES) {
        int64_t bound = c->has_pods ? c->pods.bound : 0;

        buf_printf(out, "room for %lld", (long long)(bound + c->room));
        if (bound > 0)
            buf_printf(out, ", %lld of them used by it", (long long)bound);
        if (s->shares[i].weight == 0 && bound + c->room > 0)
            buf_addz(out, "; no weight");
    } else if (s->shares[i].weight == 0) {
        buf_addz(out, "no weight");
    } else {
        buf_printf(out, "weight %lld of %lld", (long long)s->shares[i].weight, (long long)sum);
    }
}

/* What runs is more than the weight alone would give, and stays because nothing running is moved. */
static bool keeps_more(const struct fed_schedule_input *in, const struct fed_schedule *s,
                       const struct fed_schedule_share *share)
{
    int64_t sum = sum_of_weights(s), fair;

    if (in->preference->rebalance || !share->has_current || share->wanted < share->current)
        return false;
    fair = sum > 0 ? (int64_t)(((__int128)in->preference->total * share->weight + sum - 1) / sum) : 0;
    return share->current > fair;
}

static void add_limits(const struct fed_schedule_input *in, const struct fed_schedule *s,
                       const struct fed_schedule_share *share, const struct fed_schedule_cluster *c, struct buf *out)
{
    bool by_room = in->preference->strategy == FED_BY_FREE_RESOURCES;

    if (share->max >= 0 && share->wanted >= share->max)
        buf_printf(out, "; at most %lld (maxReplicas)", (long long)share->max);
    if (share->min > 0 && share->wanted <= share->min)
        buf_printf(out, "; at least %lld (minReplicas)", (long long)share->min);
    if (share->set_limit || (by_room && c->has_limit))
        buf_printf(out, "; more than %lld could not be scheduled there",
                   (long long)(share->set_limit ? share->limit : c->limit));
    else if (!by_room && share->has_capacity)
        buf_printf(out, "; %lld of %lld could not be scheduled", (long long)c->pods.unschedulable,
                   (long long)c->replicas);
    if (share->overflow > 0)
        buf_printf(out, "; %lld more wait there for room", (long long)share->overflow);
    if (keeps_more(in, s, share))
        buf_printf(out, "; keeps the %lld it has", (long long)share->current);
}

static void add_restraint(const struct fed_schedule *s, const struct fed_schedule_share *share, struct buf *out)
{
    if (share->replicas == share->wanted)
        return;
    if (s->tolerated)
        buf_printf(out, "; %lld would be better, but too little to move anything", (long long)share->wanted);
    else
        buf_printf(out, "; on the way to %lld (maxMoved)", (long long)share->wanted);
}

static void add_loss(const struct fed_schedule *s, const struct fed_schedule_share *share,
                     const struct fed_schedule_cluster *c, struct buf *out)
{
    int64_t waits = share->replicas - share->wanted;

    buf_addz(out, "not ready for ");
    add_duration(out, c->since_s);
    if (s->stranded > 0 && share->wanted > 0)
        buf_printf(out, "; no other cluster takes %lld of its replicas", (long long)share->wanted);
    if (waits > 0)
        buf_printf(out, "; %lld of its replicas still wait to be moved (maxMoved)", (long long)waits);
    else if (c->has_previous && c->previous > share->replicas)
        buf_printf(out, "; its %lld go to the others", (long long)(c->previous - share->replicas));
}

void fed_schedule_why(const struct fed_schedule_input *in, const struct fed_schedule *s, size_t i, struct buf *out)
{
    const struct fed_schedule_share *share = &s->shares[i];
    const struct fed_schedule_cluster *c = &in->clusters[i];

    switch (share->role) {
    case FED_ROLE_UNSELECTED: buf_addz(out, "not selected by the clusterSelectors of object and namespace"); return;
    case FED_ROLE_LOST: add_loss(s, share, c, out); return;
    case FED_ROLE_HELD:
        buf_addz(out, "not ready for ");
        add_duration(out, c->since_s);
        buf_addz(out, "; keeps its replicas for another ");
        add_duration(out, share->left_s);
        return;
    case FED_ROLE_RETURNING:
        buf_printf(out, "ready again, %sused in ", c->has_previous ? "keeps what it has, " : "");
        add_duration(out, share->left_s);
        return;
    case FED_ROLE_UNSEEN:
        buf_addz(out, c->observed ? "its nodes cannot be seen; keeps what it has"
                                  : "its workloads cannot be seen; keeps what it has");
        return;
    case FED_ROLE_NO_PREFERENCE: buf_addz(out, "no preference for it, and none for \"*\""); return;
    case FED_ROLE_CANDIDATE:
        add_weight(in, s, i, out);
        add_limits(in, s, share, c, out);
        add_restraint(s, share, out);
        return;
    }
}

/* --- doubts --- */

/* Unknown clusters that are named one by one. */
#define NAMES_SHOWN 10u

static void doubt(struct buf *out, const char *fmt, ...) _printf_(2, 3);
static void doubt(struct buf *out, const char *fmt, ...)
{
    va_list ap;

    if (out->n)
        buf_addz(out, ", ");
    va_start(ap, fmt);
    buf_vprintf(out, fmt, ap);
    va_end(ap);
}

static void doubt_names(const struct fed_schedule_input *in, struct buf *out)
{
    const struct fed_preference *p = in->preference;
    size_t unknown = 0;

    for (size_t i = 0; i < p->n_clusters; i++) {
        struct str name = str_of(p->clusters[i].name);

        if (str_eqc(name, "*") || fed_schedule_find(in->clusters, in->n, name) < in->n)
            continue;
        if (++unknown <= NAMES_SHOWN)
            doubt(out, "spec.clusters[%.*s]: there is no such cluster", (int)MIN(name.n, (size_t)64), name.p);
    }
    if (unknown > NAMES_SHOWN)
        doubt(out, "spec.clusters: %zu more clusters that do not exist", unknown - NAMES_SHOWN);
}

static void doubt_numbers(const struct fed_schedule_input *in, struct buf *out)
{
    const struct fed_preference *p = in->preference;
    int64_t least = 0, most = 0, weights = 0;
    bool bounded = true, any = false;

    for (size_t i = 0; i < in->n; i++) {
        const struct fed_preference_cluster *c = fed_preference_for(p, in->clusters[i].name);

        if (!c || !in->clusters[i].selected || !in->clusters[i].ready)
            continue;
        any = true;
        least += c->min;
        weights += c->weight;
        bounded &= c->max >= 0 || c->weight == 0;
        most += c->weight == 0 ? c->min : MAX(c->max, (int64_t)0);
    }
    if (in->n && !any && p->total > 0)
        doubt(out, "spec.clusters: no ready cluster has a preference, so that nothing is placed");
    else if (least > p->total)
        doubt(out, "spec.clusters: the minReplicas of the ready clusters add up to %lld, more than totalReplicas, %lld",
              (long long)least, (long long)p->total);
    else if (any && weights == 0 && least < p->total)
        doubt(out,
              "spec.clusters: no ready cluster has a weight, so that only the minReplicas, %lld of %lld, are placed",
              (long long)least, (long long)p->total);
    else if (any && bounded && most < p->total)
        doubt(out, "spec.clusters: the maxReplicas of the ready clusters add up to %lld, less than totalReplicas, %lld",
              (long long)most, (long long)p->total);
}

void fed_schedule_doubts(const struct fed_schedule_input *in, yyjson_val *fed_object, struct buf *out)
{
    doubt_names(in, out);
    doubt_numbers(in, out);
    if (json_path_bool(fed_object, "spec.retainReplicas", false))
        doubt(out, "spec.retainReplicas of the %s: members keep the numbers that they have",
              in->preference->target_kind);
}

/* --- conclusion --- */

static const char *conclude_shares(const struct fed_schedule_input *in, const struct fed_schedule *s, struct buf *out)
{
    long long total = in->preference->total;

    if (s->stranded > 0) {
        buf_printf(out, "%lld of %lld replicas stay in clusters that are lost: no other cluster takes them",
                   (long long)s->stranded, total);
        return "InsufficientResources";
    }
    if (in->preference->strategy == FED_BY_FREE_RESOURCES && s->unplaced > 0) {
        size_t unseen = 0;

        for (size_t i = 0; i < s->n; i++)
            unseen += s->shares[i].role == FED_ROLE_UNSEEN;
        buf_printf(out, "%lld of %lld replicas fit in no cluster", (long long)s->unplaced, total);
        if (unseen)
            buf_printf(out, "; nodes or workloads of %zu %s cannot be seen", unseen,
                       unseen == 1 ? "cluster" : "clusters");
        return "InsufficientResources";
    }
    if (s->put_off > 0)
        buf_printf(out, "%lld of %lld replicas will move when those on the move run (spec.failover.maxMoved)",
                   (long long)s->put_off, total);
    else
        buf_printf(out, "%lld of %lld replicas are placed", (long long)s->placed, total);
    return "Scheduled";
}

const char *fed_schedule_conclusion(const struct fed_schedule_input *in, const struct fed_schedule *s, struct buf *out)
{
    switch (s->outcome) {
    case FED_SCHEDULED: break;
    case FED_SCHEDULE_NO_CLUSTERS: buf_addz(out, "no cluster is ready; nothing is changed"); return "NoReadyClusters";
    case FED_SCHEDULE_NONE_SELECTED:
        buf_addz(out, "spec.intersectWithClusterSelector: no ready cluster is selected by both the object and its "
                      "namespace; nothing is changed");
        return "NoSelectedClusters";
    case FED_SCHEDULE_ALL_LOST:
        buf_addz(out, "all clusters seem lost at the same time; nothing is moved");
        return "AllClustersLost";
    }
    return conclude_shares(in, s, out);
}
