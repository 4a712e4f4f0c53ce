/*
 * What one pass over a ReplicaSchedulingPreference costs in process, without any request: the planner, the whole schedule, and as
 * floor beside them the reading of its input (JSON of preference and federated object) and the writing of its output (patch of the
 * object, status of the preference).
 *
 *   planner N...     a line of JSON for each number of clusters; times in nanoseconds, medians
 *
 * Everything changes in each round: weights are such that the federated object says something else than the schedule.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/rtime.h"
#include "fed/planner.h"
#include "fed/schedule_write.h"

#define ROUNDS 7
#define ROUND_NS (60 * NSEC_PER_MS)
#define MOST 100000

struct scene {
    size_t n;
    char *rsp_text, *object_text;
    yyjson_doc *rsp, *object;
    struct fed_preference *preference;
    struct fed_schedule_cluster *clusters;
    struct fed_schedule_input input;
    struct fed_schedule *schedule;
    struct fed_planner_cluster *planned;
    struct fed_planner_share *shares;
};

/* --- the scene --- */

static char *preference_text(size_t n)
{
    struct buf b = BUF_INIT(BUF_MAX_DEFAULT);
    buf_addz(
        &b,
        "{\"metadata\":{\"name\":\"web\",\"namespace\":\"shop\",\"resourceVersion\":\"1\",\"generation\":1},\"spec\":"
        "{\"targetKind\":\"FederatedDeployment\",\"totalReplicas\":");
    buf_printf(&b, "%zu,\"rebalance\":true,\"clusters\":{", 10 * n);
    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%s\"cluster%05zu\":{\"weight\":%zu,\"maxReplicas\":%zu}", i ? "," : "", i, 1 + i % 7,
                   10 + i % 13);
    buf_addz(&b, "}}}");
    return buf_take(&b, NULL);
}

static char *object_text(size_t n)
{
    struct buf b = BUF_INIT(BUF_MAX_DEFAULT);
    buf_addz(
        &b,
        "{\"metadata\":{\"name\":\"web\",\"namespace\":\"shop\",\"resourceVersion\":\"1\"},\"spec\":{\"template\":{\"spec\":"
        "{\"replicas\":1}},\"placement\":{\"clusters\":[");
    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%s{\"name\":\"cluster%05zu\"}", i ? "," : "", i);
    buf_addz(&b, "]},\"overrides\":[");
    for (size_t i = 0; i < n; i++)
        buf_printf(
            &b,
            "%s{\"clusterName\":\"cluster%05zu\",\"clusterOverrides\":[{\"path\":\"/spec/replicas\",\"value\":10}]}",
            i ? "," : "", i);
    buf_addz(&b, "]}}");
    return buf_take(&b, NULL);
}

static void read_input(struct scene *s)
{
    yyjson_doc_free(s->rsp);
    yyjson_doc_free(s->object);
    fed_preference_free(s->preference);
    s->rsp = s->object = NULL;
    s->preference = NULL;
    if (json_parse(str_of(s->rsp_text), &s->rsp, NULL) < 0 ||
        json_parse(str_of(s->object_text), &s->object, NULL) < 0 ||
        fed_preference_decode(yyjson_doc_get_root(s->rsp), &s->preference, NULL) < 0)
        abort();
    s->input.preference = s->preference;
}

static void gather(struct scene *s)
{
    fed_schedule_previous(yyjson_doc_get_root(s->object), STR("/spec/replicas"), s->clusters, s->n);
    fed_schedule_recall(yyjson_doc_get_root(s->rsp), 1, 1, s->clusters, s->n);
}

static void schedule(struct scene *s)
{
    free(s->schedule);
    s->schedule = fed_schedule_make(&s->input);
}

static void plan(struct scene *s)
{
    fed_planner_plan(&(struct fed_planner_input){ s->planned, s->n, s->input.key, s->preference->total, true },
                     s->shares);
}

static void write_output(struct scene *s)
{
    struct buf patch = BUF_INIT(BUF_MAX_DEFAULT), status = BUF_INIT(BUF_MAX_DEFAULT);
    struct fed_schedule_report report = { .generation = 1,
                                          .now = 1,
                                          .reason = "Scheduled",
                                          .message = STR("all replicas are placed"),
                                          .doubts_reason = "Valid",
                                          .input = &s->input,
                                          .schedule = s->schedule };
    if (fed_schedule_patch(&patch, yyjson_doc_get_root(s->object), STR("/spec/replicas"), &s->input, s->schedule,
                           NULL) != 1 ||
        !fed_schedule_status_patch(&status, yyjson_doc_get_root(s->rsp), &report))
        abort();
    buf_done(&patch);
    buf_done(&status);
}

static void scene_init(struct scene *s, size_t n)
{
    *s = (struct scene){ .n = n, .rsp_text = preference_text(n), .object_text = object_text(n) };
    s->clusters = mem_array(n, sizeof(*s->clusters));
    s->planned = mem_array(n, sizeof(*s->planned));
    s->shares = mem_array(n, sizeof(*s->shares));
    read_input(s);
    for (size_t i = 0; i < n; i++) {
        s->clusters[i] = (struct fed_schedule_cluster){ .name = str_of(mem_printf("cluster%05zu", i)),
                                                        .ready = true,
                                                        .since_s = 3600,
                                                        .selected = true,
                                                        .observed = true,
                                                        .has_object = true,
                                                        .replicas = 10,
                                                        .ready_replicas = 10 };
        s->planned[i] = (struct fed_planner_cluster){ .name = s->clusters[i].name,
                                                      .has_preference = true,
                                                      .max = 10 + (int64_t)(i % 13),
                                                      .weight = 1 + (int64_t)(i % 7),
                                                      .has_current = true,
                                                      .current = 10 };
    }
    s->input = (struct fed_schedule_input){ .preference = s->preference,
                                            .key = STR("shop/web"),
                                            .clusters = s->clusters,
                                            .n = n,
                                            .lost_after_s = 60,
                                            .return_after_s = 20 };
    gather(s);
    schedule(s);
}

static void scene_done(struct scene *s)
{
    for (size_t i = 0; i < s->n; i++)
        free((char *)s->clusters[i].name.p);
    yyjson_doc_free(s->rsp);
    yyjson_doc_free(s->object);
    fed_preference_free(s->preference);
    free(s->schedule);
    free(s->clusters);
    free(s->planned);
    free(s->shares);
    free(s->rsp_text);
    free(s->object_text);
}

/* --- time --- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Nanoseconds of one call: the median of some rounds. */
static double measure(struct scene *s, void (*fn)(struct scene *s))
{
    double rounds[ROUNDS];
    fn(s);
    for (size_t r = 0; r < ROUNDS; r++) {
        uint64_t begin = time_mono_ns(), now = begin, calls = 0;
        while (now - begin < ROUND_NS) {
            fn(s);
            calls++;
            now = time_mono_ns();
        }
        rounds[r] = (double)(now - begin) / (double)calls;
    }
    qsort(rounds, ROUNDS, sizeof(rounds[0]), by_value);
    return rounds[ROUNDS / 2];
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        struct scene s;
        int64_t n;
        if (str_to_i64(str_of(argv[i]), &n) < 0 || n < 1 || n > MOST) {
            fprintf(stderr, "planner: \"%s\" is no number from 1 to %d\n", argv[i], MOST);
            return 2;
        }
        scene_init(&s, (size_t)n);
        printf(
            "{\"clusters\": %lld, \"plan\": %.0f, \"schedule\": %.0f, \"gather\": %.0f, \"read\": %.0f, \"write\": %.0f}\n",
            (long long)n, measure(&s, plan), measure(&s, schedule), measure(&s, gather), measure(&s, read_input),
            measure(&s, write_output));
        fflush(stdout);
        scene_done(&s);
    }
    return 0;
}
