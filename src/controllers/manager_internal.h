/* The parts of a control plane. For src/controllers/manager.c, metrics*.c and insight.c only. */
#ifndef CONTROLLERS_MANAGER_INTERNAL_H
#define CONTROLLERS_MANAGER_INTERNAL_H

#include "controllers/health.h"
#include "controllers/manager.h"
#include "controllers/scheduling.h"
#include "controllers/typeconfigs.h"

struct manager {
    struct sync_env env;
    struct fed_config *config;
    char *system_namespace;
    struct health *health;
    struct scheduling *scheduling; /* NULL when the feature gate is closed */
    struct type_configs *types;    /* NULL when the push reconciler is switched off */
};

#endif
