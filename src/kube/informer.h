/*
 * List + watch cache of one resource in one API server (controllers.md 2.3): chunked LIST decoded item by item, then WATCH
 * with bookmarks from the returned version, resumed after every disconnect, relisted on 410 or "too large resource
 * version"; errors back off 0.8 s doubling to 30 s with jitter. An initial list may be served from the server's cache
 * (resourceVersion=0); a relist after 410 asks for the newest.
 *
 * A state with an older resourceVersion than the cached one is ignored: API servers that are behind show such. Except when a list
 * of what is stored is older than what was seen before it began, or shows an object so: then the storage was restored from a backup,
 * and a second list is taken as it is, which on_change sees as changes to lower resourceVersions, or equal ones. Said once, at level
 * info. All informers of the client are renewed before that, as by kube_informer_renew: most of them would not notice. (Not more often than
 * every 10 minutes by the same one.)
 *
 * Objects are kept as compact JSON bytes reduced by `project`, with the fields everybody needs beside them.
 */
#ifndef KUBE_INFORMER_H
#define KUBE_INFORMER_H

#include "base/map.h"
#include "json/json.h"
#include "kube/client.h"

/* One cached object: immutable, reference counted, one allocation. */
struct kube_object {
    uint32_t refs;
    uint32_t body_len;
    uint16_t key_len, ns_len, uid_len, rv_len;
    bool deleting; /* metadata.deletionTimestamp is set */
    uint32_t mark; /* the informer's: seen by which list */
    int64_t generation;
    uint64_t hash; /* of what `project` kept, without metadata.resourceVersion */
    char data[];   /* key, uid, resourceVersion, body */
};
static inline struct str kube_object_key(const struct kube_object *o)
{
    return str_n(o->data, o->key_len);
} /* "ns/name" or "name" */
static inline struct str kube_object_ns(const struct kube_object *o)
{
    return str_n(o->data, o->ns_len);
}
static inline struct str kube_object_name(const struct kube_object *o)
{
    size_t skip = o->ns_len ? o->ns_len + 1u : 0u;
    return str_n(o->data + skip, o->key_len - skip);
}
static inline struct str kube_object_uid(const struct kube_object *o)
{
    return str_n(o->data + o->key_len, o->uid_len);
}
static inline struct str kube_object_rv(const struct kube_object *o)
{
    return str_n(o->data + o->key_len + o->uid_len, o->rv_len);
}
static inline struct str kube_object_body(const struct kube_object *o)
{
    return str_n(o->data + o->key_len + o->uid_len + o->rv_len, o->body_len);
}
/* The new object of a change, or the old one of a deletion. One of them is there. */
static inline struct kube_object *kube_object_either(struct kube_object *now, struct kube_object *old)
{
    assert(now || old);
    return now ? now : old;
}
struct kube_object *kube_object_ref(struct kube_object *o);
void kube_object_unref(struct kube_object *o);
DEFINE_CLEANUP(struct kube_object *, kube_object_unref)
/* Both of one object, and numbers: did the version not rise? Then the storage was restored from a backup, and the same generation may be
 * another specification. */
bool kube_object_went_back(const struct kube_object *old, const struct kube_object *now);
/* From a live object (parsed). project NULL: everything but metadata.managedFields. -EINVAL when it has no name. */
typedef void kube_project_fn(void *arg, yyjson_val *live, yyjson_mut_doc *out);
int kube_object_new(yyjson_val *live, kube_project_fn *project, void *arg, struct kube_object **ret,
                    struct error **err);

enum kube_informer_state {
    KUBE_INFORMER_LISTING, /* never synced yet, or doubted by kube_informer_renew: a list is under way */
    KUBE_INFORMER_SYNCED,  /* cache complete, watch running or being resumed */
    KUBE_INFORMER_MISSING, /* the server does not serve this resource (404); tried again with the backoff */
    KUBE_INFORMER_FAILING, /* not synced and the last attempt failed (see kube_informer_error) */
};

struct kube_informer_config {
    struct kube_client *client;
    const char *path;           /* of the collection; copied */
    const char *label_selector; /* plain text, or NULL; copied */
    const char *field_selector; /* or NULL; copied */
    unsigned page;              /* 0: 500 */
    /* A complete cache counts as MISSING or FAILING again when the server refuses the resource (401, 403, 404) three times in
     * a row; its objects stay until a list says otherwise. Otherwise it stays SYNCED. */
    bool may_vanish;
    bool newest;              /* the first list, too, is not from the server's cache, which may be a little behind */
    kube_project_fn *project; /* or NULL */
    /* old NULL: added; new NULL: deleted. Called after the cache changed, only when something that was kept differs
     * (hash), or generation, deletion or resourceVersion does (the handler decides what matters). May be NULL. */
    void (*on_change)(void *arg, struct kube_object *old, struct kube_object *now);
    /* A watch event says that a cached object is deleted, or out of the selector's sight: called before on_change, with the last state
     * as the event carries it. Not for what a list does not have any more: how that went was not seen. May be NULL. */
    void (*on_deleted)(void *arg, struct kube_object *last);
    /* A complete cache was filled anew, since the server had forgotten where the watch was: what a selector hides may have
     * changed as well. May be NULL. */
    void (*on_relisted)(void *arg);
    /* State changed. May be NULL. */
    void (*on_state)(void *arg, enum kube_informer_state state, const struct error *err);
    void *arg;
};
struct kube_informer;
/* Must be stopped before its client is freed. */
struct kube_informer *kube_informer_start(const struct kube_informer_config *config);
void kube_informer_stop(struct kube_informer *i); /* frees; no callback afterwards; NULL is fine */

enum kube_informer_state kube_informer_state(const struct kube_informer *i);
const struct error *kube_informer_error(const struct kube_informer *i); /* of the last failure, or NULL */
/* Tries again now instead of after the backoff (a CRD appeared, a member came back). */
void kube_informer_kick(struct kube_informer *i);
/* What is cached may be behind, and is not good enough from now on: lists anew, not from the server's cache but what its storage says
 * at this moment. LISTING until that list is complete (or MISSING, FAILING, and tried again); the objects stay and change with the
 * list, so that only what differs is told. Not from inside a callback of this informer. */
void kube_informer_renew(struct kube_informer *i);

struct kube_object *kube_informer_get(const struct kube_informer *i, struct str key); /* borrowed, or NULL */
size_t kube_informer_count(const struct kube_informer *i);
bool kube_informer_next(const struct kube_informer *i, size_t *iter, struct kube_object **ret); /* borrowed */

/* Puts the answer of an own write into the cache ahead of the watch event, so that the next plan sees it: taken only when
 * it is newer than what is there (resourceVersions compare as integers; when they do not, equality ends the wait).
 * on_change is NOT called, unless _learn brings another generation or the beginning of a deletion, which are the work of
 * others; the later watch event with the same resourceVersion is silent. Returns the cached object (borrowed) or NULL when
 * not taken.
 *
 * Answer and watch event may arrive in either order, and an object that was deleted meanwhile must not come back:
 * kube_informer_learn takes an answer only for an object (by uid) that is in the cache; kube_informer_learn_new takes one
 * that is not there yet (it was created, or changed so that the selector matches now), unless its deletion was seen. */
struct kube_object *kube_informer_learn(struct kube_informer *i, yyjson_val *live);
struct kube_object *kube_informer_learn_new(struct kube_informer *i, yyjson_val *live);
/* An own DELETE was final (the object is gone: the answer was a Status or NotFound). */
void kube_informer_forget(struct kube_informer *i, struct str key, struct str uid);

#endif
