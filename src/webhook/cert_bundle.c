/* See cert_bundle.h. */
#include "webhook/cert_bundle.h"

#include "base/encode.h"
#include "net/tls_pem.h"

/* Certificates of a text that are looked at: each costs the reading of one. */
#define LOOK_MAX 200
/* A configuration has at most 3 MiB. */
#define FOUND_MAX ((size_t)4 << 20)

void cert_bundle_done(struct cert_bundle *b)
{
    buf_done(&b->pem);
    b->n = 0;
}

static bool has(const struct cert_bundle *b, uint64_t hash)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->hash[i] == hash)
            return true;
    return false;
}

static void add_one(struct cert_bundle *b, struct str pem, size_t max)
{
    uint64_t hash = str_hash_keyed(pem);

    if (b->n >= MIN(max, (size_t)CERT_BUNDLE_MAX) || has(b, hash) || pem.n > b->pem.max - b->pem.n)
        return;
    buf_adds(&b->pem, pem);
    b->hash[b->n++] = hash;
}

void cert_bundle_add(struct cert_bundle *b, struct str pem, size_t max, int64_t now)
{
    _cleanup_buf_ struct buf one = BUF_INIT(CERT_BUNDLE_BYTES);
    int64_t until;
    int r = 1;

    for (size_t i = 0; i < LOOK_MAX && r != 0; i++, buf_reset(&one)) {
        r = tls_pem_next(&pem, &one, &until);
        if (r > 0 && until > now)
            add_one(b, buf_str(&one), max);
    }
}

/* --- what is there --- */

struct found {
    struct buf text;            /* decoded, empty when it cannot be */
    bool junk;                  /* something that is no certificate, or no use any more */
    bool seen[CERT_BUNDLE_MAX]; /* which of those wanted */
    uint64_t others;
};

static void note(struct found *f, const struct cert_bundle *wanted, struct str pem)
{
    uint64_t hash = str_hash_keyed(pem);

    for (size_t i = 0; i < wanted->n; i++) {
        if (wanted->hash[i] != hash)
            continue;
        f->junk |= f->seen[i];
        f->seen[i] = true;
        return;
    }
    f->others += hash | 1; /* in any order, and never 0 for one */
}

static void look(struct found *f, struct str ca_bundle, const struct cert_bundle_target *t)
{
    _cleanup_buf_ struct buf one = BUF_INIT(CERT_BUNDLE_BYTES);
    int64_t until;
    int r = 1;

    f->junk = base64_decode(&f->text, ca_bundle, NULL) < 0 || f->text.n > CERT_BUNDLE_BYTES;
    struct str rest = buf_str(&f->text);
    for (size_t i = 0; i < LOOK_MAX && r != 0; i++, buf_reset(&one)) {
        r = tls_pem_next(&rest, &one, &until);
        if (r > 0 && until > t->now)
            note(f, t->wanted, buf_str(&one));
        else
            f->junk |= r != 0;
    }
    f->junk |= r != 0;
}

static enum cert_bundle_state state_of(const struct found *f, const struct cert_bundle *wanted)
{
    for (size_t i = 0; i < wanted->n; i++)
        if (!f->seen[i])
            return CERT_BUNDLE_LACKS;
    return f->others || f->junk ? CERT_BUNDLE_HAS_MORE : CERT_BUNDLE_FITS;
}

/* --- what is to be there --- */

static void add_operations(struct buf *out, yyjson_val *webhook, size_t i, const struct found *f,
                           const struct cert_bundle_target *t)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_new();
    yyjson_mut_val *name = json_mut_new_str(doc, json_path_str(webhook, "name"));
    _cleanup_cert_bundle_ struct cert_bundle b = CERT_BUNDLE_INIT;

    buf_adds(&b.pem, buf_str(&t->wanted->pem));
    memcpy(b.hash, t->wanted->hash, sizeof(b.hash));
    b.n = t->wanted->n;
    if (t->keep_others)
        cert_bundle_add(&b, buf_str(&f->text), CERT_BUNDLE_MAX, t->now);
    /* Others write these lists too: the test refuses the patch when the place is no longer the webhook's. */
    buf_printf(out, ",{\"op\":\"test\",\"path\":\"/webhooks/%zu/name\",\"value\":", i);
    json_mut_write(out, name);
    buf_printf(out, "},{\"op\":\"add\",\"path\":\"/webhooks/%zu/clientConfig/caBundle\",\"value\":\"", i);
    base64_encode(out, buf_str(&b.pem));
    buf_addz(out, "\"}");
}

static bool is_ours(yyjson_val *webhook, const struct cert_bundle_target *t)
{
    return str_eqc(json_path_str(webhook, "clientConfig.service.namespace"), t->ns) &&
           str_eqc(json_path_str(webhook, "clientConfig.service.name"), t->service);
}

/* What another replica wrote since this one read must not be lost: the whole patch is refused then. */
static void begin_operations(struct buf *out, yyjson_val *configuration)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_new();

    buf_addz(out, "[{\"op\":\"test\",\"path\":\"/metadata/resourceVersion\",\"value\":");
    json_mut_write(out, json_mut_new_str(doc, json_path_str(configuration, "metadata.resourceVersion")));
    buf_addz(out, "}");
}

enum cert_bundle_state cert_bundle_patch(struct buf *out, yyjson_val *configuration, const struct cert_bundle_target *t,
                                         uint64_t *ret_others)
{
    _cleanup_buf_ struct buf ops = BUF_INIT(out->max);
    yyjson_val *list = json_get(configuration, "webhooks"), *item;
    bool lacks = false, more = false;
    size_t i, n;

    *ret_others = 0;
    if (t->wanted->n == 0)
        return CERT_BUNDLE_LACKS;
    yyjson_arr_foreach(list, i, n, item)
    {
        struct found f = { .text = BUF_INIT(FOUND_MAX) };
        if (!is_ours(item, t) || buf_failed(&ops))
            continue;
        look(&f, json_path_str(item, "clientConfig.caBundle"), t);
        enum cert_bundle_state state = state_of(&f, t->wanted);
        if (state == CERT_BUNDLE_LACKS || (state == CERT_BUNDLE_HAS_MORE && !t->keep_others))
            add_operations(&ops, item, i, &f, t);
        lacks |= state == CERT_BUNDLE_LACKS;
        more |= state == CERT_BUNDLE_HAS_MORE;
        *ret_others += f.others;
        buf_done(&f.text);
    }
    if (ops.n || buf_failed(&ops)) {
        begin_operations(out, configuration);
        buf_adds(out, buf_str(&ops));
        buf_addz(out, "]");
        out->failed |= buf_failed(&ops);
    }
    return lacks ? CERT_BUNDLE_LACKS : more ? CERT_BUNDLE_HAS_MORE : CERT_BUNDLE_FITS;
}
