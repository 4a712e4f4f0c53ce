/*
 * See clusters.h. The informer of KubeFedClusters drives everything here: each change of an object updates or replaces the
 * `struct cluster` of its name. Connections: read the Secret, build a client, tell the listeners. What a connection is made
 * from is hashed, so that a change of status, labels or annotations leaves it alone (P-11).
 */
#include "controllers/clusters.h"

#include <stdlib.h>

#include "base/encode.h"
#include "base/log.h"
#include "base/map.h"
#include "base/rtime.h"
#include "controllers/renewal.h"
#include "net/tls_pem.h"

#define SECRET_RETRY_INITIAL_MS 1000u
#define SECRET_RETRY_MAX_MS 30000u

struct clusters {
    struct clusters_config config;
    struct kube_informer *informer;
    struct map by_name; /* of struct cluster */
    struct list listeners;
    struct cluster_snapshot *snapshot; /* NULL: to be rebuilt */
    bool promoted;                     /* we lead as soon as the list is complete that is under way */
};

static void connect_cluster(struct cluster *c);

static void notify(struct clusters *r, struct cluster *c, enum cluster_event event)
{
    list_for_each(it, &r->listeners) {
        struct clusters_listener *l = list_entry(it, struct clusters_listener, link);
        l->fn(l->arg, c, event);
    }
}

/* --- snapshots --- */

void cluster_snapshot_unref(struct cluster_snapshot *s)
{
    if (!s || --s->refs > 0)
        return;
    for (size_t i = 0; i < s->n; i++) {
        free(s->v[i].name);
        yyjson_doc_free(s->v[i].labels_doc);
    }
    free(s);
}

static void drop_snapshot(struct clusters *r)
{
    cluster_snapshot_unref(r->snapshot);
    r->snapshot = NULL;
}

static void fill_entry(struct cluster_entry *e, const struct cluster *c)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    e->name = mem_strdup(c->name);
    e->ready = c->ready;
    if (json_parse(kube_object_body(c->object), &doc, NULL) < 0)
        return;
    yyjson_val *root = yyjson_doc_get_root(doc), *labels = json_path(root, "metadata.labels");
    e->since = fed_cluster_since(root);
    if (!yyjson_is_obj(labels))
        return;
    _cleanup_json_mut_ yyjson_mut_doc *copy = json_mut_doc_of(labels);
    e->labels_doc = json_freeze(copy);
}

struct cluster_snapshot *clusters_snapshot(struct clusters *r)
{
    if (!r->snapshot) {
        size_t n;
        struct map_entry *sorted = map_sorted(&r->by_name, &n);
        struct cluster_snapshot *s = mem_zalloc(sizeof(*s) + n * sizeof(s->v[0]));
        s->refs = 1;
        s->n = n;
        for (size_t i = 0; i < n; i++)
            fill_entry(&s->v[i], sorted[i].val);
        free(sorted);
        r->snapshot = s;
    }
    r->snapshot->refs++;
    return r->snapshot;
}

/* --- connections --- */

static void disconnect(struct cluster *c)
{
    if (c->secret_call) {
        kube_call_cancel(c->secret_call);
        c->secret_call = NULL;
    }
    loop_timer_stop(&c->retry);
    renewal_stop(c);
    if (!c->client)
        return;
    notify(c->registry, c, CLUSTER_DISCONNECTED);
    kube_client_free(TAKE_PTR(c->client));
    free(TAKE_PTR(c->problem)); /* of a new token only; without a client it is another matter, to be told */
}

void clusters_event(const struct cluster *c, const char *type, const char *reason, const char *message)
{
    struct event_object on = {
        .api_version = STR("core.kubefed.io/v1beta1"),
        .kind = STR("KubeFedCluster"),
        .ns = kube_object_ns(c->object),
        .name = kube_object_name(c->object),
        .uid = kube_object_uid(c->object),
        .resource_version = kube_object_rv(c->object),
    };
    event_record(c->registry->config.events, "kubefedcluster-controller", &on, type, reason, str_of(message));
}

static void set_problem(struct cluster *c, const char *text)
{
    bool now = !c->problem || strcmp(c->problem, text) != 0;
    if (now) {
        free(c->problem);
        c->problem = mem_strdup(text);
    }
    if (!now || !c->object)
        return;
    if (c->registry->config.standby) {
        log_verbose(1, "Cluster %s: %s", c->name, text);
        return;
    }
    log_warning("Cluster %s: %s", c->name, text);
    if (c->client)
        return; /* it goes on with the token of before: the configuration is not malformed yet */
    _cleanup_free_ char *message = mem_printf("The configuration for this cluster may be malformed: %s", text);
    clusters_event(c, "Warning", "MalformedClusterConfig", message);
}

static void on_retry(void *arg)
{
    connect_cluster(arg);
}

static void fail_connect(struct cluster *c, const struct error *err)
{
    set_problem(c, error_msg(err));
    c->connecting = false;
    c->retry_ms = c->retry_ms ? MIN(c->retry_ms * 2, (uint64_t)SECRET_RETRY_MAX_MS) : SECRET_RETRY_INITIAL_MS;
    loop_timer_start(kube_client_loop(c->registry->config.host), &c->retry, c->retry_ms, on_retry, c);
}

void clusters_read_secret(struct cluster *c)
{
    if (!c->secret_call && !loop_timer_active(&c->retry))
        connect_cluster(c);
}

/* The member refused our token: it may have been rotated in the Secret. */
static void on_unauthorized(void *arg, struct kube_client *client)
{
    (void)client;
    clusters_read_secret(arg);
}

static int build_config(const struct cluster *c, struct str token, struct kube_config **ret, struct error **err)
{
    const struct fed_cluster *spec = c->spec;
    bool plain = c->registry->config.plain_http_default && spec->scheme_assumed && spec->ca_pem.n == 0;
    _cleanup_free_ char *server = plain ? mem_printf("http%s", spec->api_endpoint + strlen("https"))
                                        : mem_strdup(spec->api_endpoint);
    struct kube_config_parts parts = { server, spec->proxy_url, spec->ca_pem, spec->tls_skip, token };
    int r = kube_config_from_parts(&parts, ret, err);
    return r < 0 ? error_wrap(err, "spec.caBundle") : 0;
}

static int make_client(struct cluster *c, struct str token, struct error **err)
{
    _cleanup_kube_config_ struct kube_config *config = NULL;
    int r = build_config(c, token, &config, err);
    if (r < 0)
        return r;
    struct kube_client_options options = {
        .loop = kube_client_loop(c->registry->config.host),
        .user_agent = "kubefed-controller",
        .connect_backoff = true,
        .tally = kube_client_tally(c->registry->config.host),
        .on_unauthorized = on_unauthorized,
        .arg = c,
    };
    return kube_client_new(config, &options, &c->client, err);
}

static int token_of_secret(struct str body, const struct cluster *c, struct buf *token, char **ret_version,
                           struct error **err)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    int r = json_parse_secret(body, &doc, err);
    if (r < 0)
        return r;
    struct str encoded = json_path_str(yyjson_doc_get_root(doc), "data.token");
    if (encoded.n == 0 || base64_decode(token, encoded, NULL) < 0 || token->n == 0)
        return error_set(err, -EINVAL, "The secret for cluster %s is missing a non-empty value for \"token\"", c->name);
    *ret_version = str_dup(json_path_str(yyjson_doc_get_root(doc), "metadata.resourceVersion"));
    return 0;
}

static void watch_token(struct cluster *c, struct str token, struct str secret_version)
{
    if (!c->registry->config.standby)
        renewal_watch(c, token, secret_version);
}

static void note_connection(struct cluster *c)
{
    c->ca_ends = tls_pem_trusted_until(c->spec->ca_pem);
    if (c->connect_ns && c->registry->config.connections)
        histogram_observe(c->registry->config.connections, time_mono_ns() - c->connect_ns);
    c->connect_ns = 0;
}

static void on_secret(void *arg, const struct kube_response *resp, const struct error *err)
{
    struct cluster *c = arg;
    c->secret_call = NULL;
    _cleanup_error_ struct error *e = NULL;
    _cleanup_buf_ struct buf token = BUF_SECRET_INIT(1u << 20);
    if (err) {
        if (err->code == -ECANCELED)
            return;
        error_set(&e, err->code, "cannot read secret \"%s/%s\": %s", c->registry->config.system_namespace,
                  c->spec->secret_name, error_msg(err));
        fail_connect(c, e);
        return;
    }
    _cleanup_free_ char *version = NULL;
    if (token_of_secret(resp->body, c, &token, &version, &e) < 0) {
        fail_connect(c, e);
        return;
    }
    if (c->client) {
        kube_client_set_token(c->client, buf_str(&token));
        free(TAKE_PTR(c->problem));
        c->retry_ms = 0;
        watch_token(c, buf_str(&token), str_of(version));
        return;
    }
    if (make_client(c, buf_str(&token), &e) < 0) {
        fail_connect(c, e);
        return;
    }
    free(TAKE_PTR(c->problem));
    c->retry_ms = 0;
    c->connecting = false;
    note_connection(c);
    watch_token(c, buf_str(&token), str_of(version));
    notify(c->registry, c, CLUSTER_CONNECTED);
}

static void connect_cluster(struct cluster *c)
{
    if (!c->spec)
        return;
    static const struct kube_resource secrets = { STR(""), STR("v1"), STR("secrets"), true };
    _cleanup_free_ char *path = kube_path(&secrets, str_of(c->registry->config.system_namespace),
                                          str_of(c->spec->secret_name), STR_NULL);
    struct kube_request req = { .method = "GET", .path = str_of(path), .priority = KUBE_PRIO_HIGH, .secret = true };
    c->connect_ns = c->client ? 0 : time_mono_ns();
    c->secret_call = kube_call(c->registry->config.host, &req, on_secret, c);
}

/* --- objects --- */

static uint64_t hash_connection(const struct fed_cluster *spec)
{
    _cleanup_buf_ struct buf b = BUF_INIT(BUF_MAX_DEFAULT);
    buf_printf(&b, "%s\n%s\n%s\n%u\n", spec->api_endpoint, spec->secret_name, spec->proxy_url ? spec->proxy_url : "",
               spec->tls_skip);
    buf_adds(&b, str_n(spec->ca_pem.p, spec->ca_pem.n));
    return str_hash(buf_str(&b)) | 1;
}

/* Decodes the object into *ret_spec (NULL with *ret_problem when it cannot be used). */
static void decode(const struct kube_object *o, struct fed_cluster **ret_spec, bool *ret_ready, char **ret_problem)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_error_ struct error *err = NULL;
    *ret_spec = NULL;
    *ret_ready = false;
    if (json_parse(kube_object_body(o), &doc, &err) == 0) {
        *ret_ready = fed_cluster_is_ready(yyjson_doc_get_root(doc));
        fed_cluster_decode(yyjson_doc_get_root(doc), ret_spec, &err);
    }
    *ret_problem = *ret_spec ? NULL : mem_strdup(error_msg(err));
}

static void apply_spec(struct cluster *c, struct fed_cluster *spec, const char *problem)
{
    uint64_t hash = spec ? hash_connection(spec) : 0;
    bool changed = hash != c->connection_hash || hash == 0;
    fed_cluster_free(c->spec);
    c->spec = spec;
    c->connection_hash = hash;
    if (!changed)
        return;
    disconnect(c);
    c->retry_ms = 0;
    if (!spec) {
        c->connecting = false;
        set_problem(c, problem);
        return;
    }
    c->connecting = true;
    connect_cluster(c);
}

static void add_cluster(struct clusters *r, struct kube_object *o)
{
    struct cluster *c = mem_zalloc(sizeof(*c));
    c->registry = r;
    c->host = r->config.host;
    c->name = str_dup(kube_object_name(o));
    c->object = kube_object_ref(o);
    map_put(&r->by_name, str_of(c->name), c);
    drop_snapshot(r);
    struct fed_cluster *spec;
    _cleanup_free_ char *problem = NULL;
    decode(o, &spec, &c->ready, &problem);
    if (c->ready)
        log_info("Cluster %s/%s is ready", r->config.system_namespace, c->name);
    else
        log_info("Cluster %s/%s not added; it is not ready.", r->config.system_namespace, c->name);
    notify(r, c, CLUSTER_ADDED);
    apply_spec(c, spec, problem);
}

static void remove_cluster(struct clusters *r, struct cluster *c)
{
    c->removed = true;
    map_remove(&r->by_name, str_of(c->name));
    drop_snapshot(r);
    disconnect(c);
    notify(r, c, CLUSTER_REMOVED);
    kube_object_unref(c->object);
    fed_cluster_free(c->spec);
    free(c->problem);
    free(c->name);
    free(c);
}

static bool labels_differ(const struct kube_object *a, const struct kube_object *b)
{
    _cleanup_json_ yyjson_doc *da = NULL, *db = NULL;
    if (json_parse(kube_object_body(a), &da, NULL) < 0 || json_parse(kube_object_body(b), &db, NULL) < 0)
        return true;
    yyjson_val *la = json_path(yyjson_doc_get_root(da), "metadata.labels");
    yyjson_val *lb = json_path(yyjson_doc_get_root(db), "metadata.labels");
    return la != lb && !json_equal(la, lb);
}

static void update_cluster(struct clusters *r, struct cluster *c, struct kube_object *o)
{
    bool relabelled = labels_differ(c->object, o);
    bool was_ready = c->ready;
    kube_object_unref(c->object);
    c->object = kube_object_ref(o);
    struct fed_cluster *spec;
    _cleanup_free_ char *problem = NULL;
    decode(o, &spec, &c->ready, &problem);
    if (relabelled || was_ready != c->ready)
        drop_snapshot(r);
    apply_spec(c, spec, problem);
    if (c->ready && !was_ready) {
        log_info("Cluster %s/%s is ready", r->config.system_namespace, c->name);
        notify(r, c, CLUSTER_READY);
    } else if (!c->ready && was_ready) {
        log_info("Cluster %s/%s is not ready", r->config.system_namespace, c->name);
        notify(r, c, CLUSTER_UNREADY);
    }
    if (relabelled)
        notify(r, c, CLUSTER_RELABELLED);
}

static void on_change(void *arg, struct kube_object *old, struct kube_object *now)
{
    struct clusters *r = arg;
    struct cluster *c = map_get(&r->by_name, kube_object_name(kube_object_either(now, old)));
    if (!now) {
        if (c)
            remove_cluster(r, c);
    } else if (!c) {
        add_cluster(r, now);
    } else {
        update_cluster(r, c, now);
    }
}

/* What was not worth telling by a standby is told now, aloud. */
static void tell_again(struct cluster *c)
{
    _cleanup_free_ char *problem = TAKE_PTR(c->problem);
    if (problem && !c->spec) /* otherwise its Secret is read again */
        set_problem(c, problem);
}

static void lead(struct clusters *r)
{
    struct cluster *c;
    r->promoted = r->config.standby = false;
    for (size_t i = 0; (c = clusters_next(r, &i));) {
        loop_timer_stop(&c->retry);
        tell_again(c);
        clusters_read_secret(c);
    }
}

static void on_state(void *arg, enum kube_informer_state state, const struct error *err)
{
    struct clusters *r = arg;
    if (state == KUBE_INFORMER_SYNCED) {
        if (r->promoted)
            lead(r);
        r->config.on_synced(r->config.arg);
    } else if (err) {
        log_error("Failed to list KubeFedClusters: %s", error_msg(err));
    }
}

struct clusters *clusters_start(const struct clusters_config *config)
{
    struct clusters *r = mem_zalloc(sizeof(*r));
    r->config = *config;
    list_init(&r->listeners);
    static const struct kube_resource res = { STR("core.kubefed.io"), STR("v1beta1"), STR("kubefedclusters"), true };
    _cleanup_free_ char *path = kube_path(&res, str_of(config->system_namespace), STR_NULL, STR_NULL);
    r->informer = kube_informer_start(&(struct kube_informer_config){
        .client = config->host, .path = path, .on_change = on_change, .on_state = on_state, .arg = r });
    return r;
}

void clusters_lead(struct clusters *r)
{
    r->promoted = true;
    kube_informer_renew(r->informer);
}

void clusters_free(struct clusters *r)
{
    if (!r)
        return;
    kube_informer_stop(r->informer);
    struct map_entry e;
    for (size_t i = 0; map_next(&r->by_name, &i, &e);)
        remove_cluster(r, e.val);
    map_done(&r->by_name);
    cluster_snapshot_unref(r->snapshot);
    free(r);
}

bool clusters_synced(const struct clusters *r)
{
    return kube_informer_state(r->informer) == KUBE_INFORMER_SYNCED;
}

void clusters_listen(struct clusters *r, struct clusters_listener *l)
{
    list_add_tail(&r->listeners, &l->link);
}

void clusters_unlisten(struct clusters_listener *l)
{
    list_del(&l->link);
}

struct cluster *clusters_find(const struct clusters *r, struct str name)
{
    return map_get(&r->by_name, name);
}

struct cluster *clusters_next(const struct clusters *r, size_t *iter)
{
    struct map_entry e;
    return map_next(&r->by_name, iter, &e) ? e.val : NULL;
}

void clusters_learn(struct clusters *r, yyjson_val *live)
{
    struct kube_object *o = kube_informer_learn(r->informer, live);
    struct cluster *c = o ? map_get(&r->by_name, kube_object_name(o)) : NULL;
    if (c)
        update_cluster(r, c, o);
}
