/* What is good, worrying or broken: judgements without I/O. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/rtime.h"
#include "cli/doctor.h"
#include "cli/style.h"
#include "fed/names.h"
#include "net/url.h"

#define DAY INT64_C(86400)
#define WARN_S (30 * DAY)
#define MOST_MINORS 3
#define OLDEST_MINOR 16
#define LONGEST_LEASE_S DAY
#define STALE_S 300

enum doctor_verdict doctor_judge_end(int64_t until, int64_t life, int64_t now)
{
    int64_t warn = life > 0 ? MIN(WARN_S, life / 10) : WARN_S;
    if (until <= now)
        return DOCTOR_FAILURE;
    return until - now < warn ? DOCTOR_WARNING : DOCTOR_OK;
}

char *doctor_end_text(int64_t until, int64_t now)
{
    char when[21], age[24];
    if (until < 0 || until > INT64_C(253402300799)) /* the year 9999 */
        return mem_strdup("is valid for ever");
    time_rfc3339(until, when);
    age_format(until > now ? until - now : now - until, age);
    return until > now ? mem_printf("is valid until %s (%s)", when, age) : mem_printf("expired %s ago (%s)", age, when);
}

int doctor_version_parse(struct str git_version, int *ret_major, int *ret_minor)
{
    struct str major, minor, rest = git_version;
    int64_t a, b;
    if (rest.n && rest.p[0] == 'v')
        rest = str_n(rest.p + 1, rest.n - 1);
    if (!str_cut(rest, '.', &major, &rest))
        return -EINVAL;
    str_cut(rest, '.', &minor, &rest);
    while (minor.n && (minor.p[minor.n - 1] < '0' || minor.p[minor.n - 1] > '9'))
        minor.n--; /* "24+" */
    if (str_to_i64(major, &a) < 0 || str_to_i64(minor, &b) < 0 || a < 0 || b < 0 || a > 1000 || b > 1000)
        return -EINVAL;
    *ret_major = (int)a;
    *ret_minor = (int)b;
    return 0;
}

enum doctor_verdict doctor_judge_versions(struct str host, struct str member)
{
    int a, b, c, d;
    if (doctor_version_parse(host, &a, &b) < 0 || doctor_version_parse(member, &c, &d) < 0)
        return DOCTOR_UNKNOWN;
    bool far = a != c || b - d > MOST_MINORS || d - b > MOST_MINORS, old = c < 1 || (c == 1 && d < OLDEST_MINOR);
    return far || old ? DOCTOR_WARNING : DOCTOR_OK;
}

enum doctor_verdict doctor_judge_lock(struct str record, int64_t now, char **ret_text)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    int64_t renewed;
    char age[24];
    if (json_parse(record, &doc, NULL) < 0 || !yyjson_is_obj(yyjson_doc_get_root(doc))) {
        *ret_text = mem_strdup("the lock has no leader record");
        return DOCTOR_FAILURE;
    }
    yyjson_val *root = yyjson_doc_get_root(doc);
    struct str holder = json_path_str(root, "holderIdentity");
    int64_t lease = json_path_i64(root, "leaseDurationSeconds", 15);
    if (str_empty(holder)) {
        *ret_text = mem_strdup("nobody leads: the last leader gave the lock back");
        return DOCTOR_FAILURE;
    }
    if (time_parse_rfc3339(json_path_str(root, "renewTime"), &renewed) < 0) {
        *ret_text = mem_printf("%" PRIstr " holds the lock, but never renewed it", STRARG(holder));
        return DOCTOR_FAILURE;
    }
    age_format(now - renewed, age);
    *ret_text = mem_printf("%" PRIstr " leads, renewed %s ago", STRARG(holder), age);
    int64_t late = now - renewed, lasts = MIN(MAX(lease, (int64_t)1), LONGEST_LEASE_S);
    return late > 2 * lasts ? DOCTOR_FAILURE : late > lasts ? DOCTOR_WARNING : DOCTOR_OK;
}

bool doctor_schema_has(yyjson_val *crd, struct str version, const char *path)
{
    yyjson_val *item;
    size_t i, n;
    if (json_path_bool(crd, "spec.preserveUnknownFields", false))
        return true;
    yyjson_arr_foreach(json_path(crd, "spec.versions"), i, n, item)
    {
        yyjson_val *here = json_path(item, "schema.openAPIV3Schema");
        struct str head, rest = str_of(path);
        if (!str_eq(json_path_str(item, "name"), version))
            continue;
        while (here && !str_empty(rest)) {
            str_cut(rest, '.', &head, &rest);
            if (json_path_bool(here, "x-kubernetes-preserve-unknown-fields", false))
                return true;
            here = json_getn(json_get(here, "properties"), head);
        }
        return here != NULL;
    }
    return false;
}

int64_t doctor_stale_after(const struct fed_config *config)
{
    int64_t period = config ? config->health_period_ns / INT64_C(1000000000) : 0;
    return MAX((int64_t)STALE_S, period < INT64_MAX / 3 ? 3 * period : INT64_MAX);
}

const char *doctor_word(const char *name)
{
    return str_is_dns1123_subdomain(str_of(name)) ? name : "NAME";
}

bool doctor_is_loopback(const char *url)
{
    struct url u;
    if (url_parse(str_of(url), &u, NULL) < 0)
        return false;
    struct str host = str_of(u.host);
    bool is = str_eqc(host, "localhost") || str_has_suffix(host, STR(".localhost")) || str_eqc(host, "::1") ||
              str_eqc(host, "::") || str_eqc(host, "0.0.0.0") || str_has_prefix(host, STR("127."));
    url_done(&u);
    return is;
}

bool doctor_is_of_join(yyjson_val *secret)
{
    yyjson_val *data = json_get(secret, "data");
    struct str name = json_path_str(secret, "metadata.name"), cluster, suffix;
    return str_eqc(json_path_str(secret, "type"), "Opaque") && yyjson_obj_size(data) == 1 &&
           json_get(data, FED_TOKEN_KEY) && str_rcut(name, '-', &cluster, &suffix) && suffix.n == 5;
}
