/*
 * Inside src/cli: the parts of doctor, one file per subject. Each examines and adds findings; none writes to any
 * cluster. What may not be read is a finding of its own (DOCTOR_UNKNOWN), with the right that is missing.
 */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include "cli/member.h"
#include "cli/types.h"
#include "fed/config.h"

enum doctor_verdict { DOCTOR_OK, DOCTOR_WARNING, DOCTOR_FAILURE, DOCTOR_UNKNOWN };

struct doctor_finding {
    const char *subject;           /* heading: constant */
    char *name, *message, *advice; /* advice may be NULL */
    enum doctor_verdict verdict;
};

struct doctor_cluster {
    char *name;
    yyjson_doc *kfc;
    struct fed_cluster *spec; /* NULL: invalid */
    struct remote *member;    /* NULL: cannot be connected to */
    bool ready;
    bool has_token; /* its Secret was read and holds one */
};

struct doctor {
    struct cli *cli;
    struct remote *host; /* borrowed */
    struct str ns;
    int64_t now;               /* by the host's clock, in seconds since the epoch */
    bool in_pod;               /* the controller manager is a Deployment without the host's network */
    char *version;             /* of the host's API server */
    struct fed_config *config; /* NULL: none that is valid */
    struct fed_type_config **types;
    size_t n_types;
    struct doctor_cluster *clusters;
    size_t n_clusters;
    bool knows_types, knows_clusters; /* they could be read */
    bool renews;                      /* there are tokens that the controller manager has to renew */
    struct doctor_finding *findings;
    size_t n_findings, cap_findings;
};

#define DOCTOR_APPLY_CRDS "Install the CustomResourceDefinitions of this release: kubectl apply -f deploy/crds"
#define DOCTOR_JOIN_AGAIN "kubefedctl join {name} --error-on-existing=false"

/* Adds a finding below those of its subject. advice: what to do, or NULL; "{name}" in it becomes the name. Message and
 * advice are copied and made printable. */
void doctor_add(struct doctor *d, const char *subject, const char *name, enum doctor_verdict verdict,
                const char *message, const char *advice);
/* The same with formatted texts; the first is the message, advice is constant or NULL. */
void doctor_addf(struct doctor *d, const char *subject, const char *name, enum doctor_verdict verdict,
                 const char *advice, const char *fmt, ...) _printf_(6, 7);
/* Does the control plane propagate this type: is it enabled, and of a kind that its scope includes? */
bool doctor_is_propagated(const struct doctor *d, const struct fed_type_config *c);
/* Something could not be read: unknown when it is a question of rights, otherwise a failure. Takes *e.
 * -ECANCELED: interrupted. */
int doctor_unreadable(struct doctor *d, const char *subject, const char *name, struct error **e, struct error **err);

/* The subjects; each is told where its first finding was. 0 or -ECANCELED; doctor_host also fails, after it told so,
 * when the host gives no answer and there is nothing to examine. */
int doctor_host(struct doctor *d, struct error **err);
int doctor_controller(struct doctor *d, struct error **err);
int doctor_rights(struct doctor *d, struct error **err);
int doctor_webhook(struct doctor *d, struct error **err);
int doctor_types(struct doctor *d, struct error **err);
int doctor_clusters(struct doctor *d, struct error **err);
int doctor_members(struct doctor *d, struct error **err);
int doctor_stuck(struct doctor *d, struct error **err);

/* --- pure rules (doctor_rules.c) --- */

/* OK, WARNING (within 30 days or a tenth of its life) or FAILURE (over). life: 0 when not known. */
enum doctor_verdict doctor_judge_end(int64_t until, int64_t life, int64_t now);
/* "is valid until 2026-01-01T00:00:00Z (12d)" or "expired 3h ago (...)": owned. */
char *doctor_end_text(int64_t until, int64_t now);
/* "v1.27.3-gke.1": major and minor; -EINVAL when it is none. */
int doctor_version_parse(struct str git_version, int *ret_major, int *ret_minor);
/* OK, or WARNING: more than three minors apart, or before 1.16. UNKNOWN: one of them is no version. */
enum doctor_verdict doctor_judge_versions(struct str host, struct str member);
/* The lock: is it held and fresh? Renewed longer ago than the lease lasts: WARNING, and FAILURE after twice that time,
 * which no small difference of clocks explains. holder "" or a record that is none: FAILURE. *ret_text (owned): in
 * words. */
enum doctor_verdict doctor_judge_lock(struct str record, int64_t now, char **ret_text);
/* Schema of a CRD's version: does it keep what is written at the dotted path? ("spec.proxyURL") */
bool doctor_schema_has(yyjson_val *crd, struct str version, const char *path);
/* After how many seconds without a probe nobody looks at a cluster any more: 5 minutes, or three times the period.
 * config may be NULL. */
int64_t doctor_stale_after(const struct fed_config *config);
/* A name as a word of a command to copy: itself when it is one that objects can have, otherwise "NAME". Borrowed. */
const char *doctor_word(const char *name);
/* Does the URL name the machine (or the pod) itself? */
bool doctor_is_loopback(const char *url);
/* Does a Secret look like one that join made: "<cluster>-xxxxx" with nothing but a token? */
bool doctor_is_of_join(yyjson_val *secret);

#endif
