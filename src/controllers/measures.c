/* See measures.h. */
#include "controllers/measures.h"

#include <stdlib.h>

#include "base/rtime.h"

#define LAG_PERIOD_MS 500u
#define KINDS_MAX 1024u

const char *const measured_controllers[] = {
    [MEASURED_TYPE_CONFIGS] = "federatedtypeconfigcontroller",
    [MEASURED_SCHEDULING_MANAGER] = "schedulingmanagercontroller",
    [MEASURED_PREFERENCES] = "schedulingpreferencecontroller",
    [MEASURED_STATUS] = "statuscontroller",
};

const char *const measured_actions[] = {
    [MEASURED_CREATE] = "create",
    [MEASURED_UPDATE] = "update",
    [MEASURED_DELETE] = "delete",
};

/* One timer sees the loop as anything does that becomes due at some moment: late by what just runs. */
static void on_lag(void *arg)
{
    struct measures *m = arg;
    uint64_t now = time_mono_ns();

    if (m->lag_due_ns)
        histogram_observe(&m->lag, now > m->lag_due_ns ? now - m->lag_due_ns : 0);
    m->lag_due_ns = now + LAG_PERIOD_MS * (uint64_t)NSEC_PER_MS;
    loop_timer_start(m->loop, &m->lag_timer, LAG_PERIOD_MS, on_lag, m);
}

struct measures *measures_new(struct loop *loop)
{
    struct measures *m = mem_zalloc(sizeof(*m));

    m->probes = m->connections = m->reconciles = HISTOGRAM_INIT(&histogram_kubefed);
    for (size_t i = 0; i < MEASURED_ACTIONS; i++)
        m->operations[i] = HISTOGRAM_INIT(&histogram_kubefed);
    for (size_t i = 0; i < MEASURED_CONTROLLERS; i++)
        m->controllers[i] = HISTOGRAM_INIT(&histogram_kubefed);
    m->lag = HISTOGRAM_INIT(&histogram_lag);
    m->loop = loop;
    on_lag(m);
    return m;
}

void measures_free(struct measures *m)
{
    if (!m)
        return;
    loop_timer_stop(&m->lag_timer);
    map_done_values(&m->propagation, free);
    free(m);
}

struct histogram *measures_propagation(struct measures *m, const char *kind)
{
    bool room = map_has(&m->propagation, str_of(kind)) || map_count(&m->propagation) < KINDS_MAX;
    struct str key = room ? str_of(kind) : STR("other");
    struct histogram *h = map_get(&m->propagation, key);

    if (h)
        return h;
    h = mem_alloc(sizeof(*h));
    *h = HISTOGRAM_INIT(&histogram_propagation);
    map_put(&m->propagation, key, h);
    return h;
}
