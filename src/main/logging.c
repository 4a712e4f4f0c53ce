/* See logging.h. */
#include "logging.h"

#include "base/log.h"

int logging_parse_vmodule(void *to, struct str value, struct error **err)
{
    (void)to;
    if (log_set_vmodule(value) < 0)
        return error_set(err, -EINVAL, "want pattern=N,... with N from 0 to 100, at most 32 of them");
    return 0;
}

int logging_parse_format(void *to, struct str value, struct error **err)
{
    struct logging *l = to;

    if (!str_eqc(value, "text") && !str_eqc(value, "json"))
        return error_set(err, -EINVAL, "want text or json");
    l->json = str_eqc(value, "json");
    return 0;
}

void logging_start(const struct logging *l)
{
    log_init((int)l->verbosity);
    log_set_format(l->json ? LOG_JSON : l->skip_headers ? LOG_TEXT_BARE : LOG_TEXT);
}
