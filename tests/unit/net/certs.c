/* See certs.h. A test aborts when OpenSSL refuses to do what it is asked here. */
#include "certs.h"

#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define MUST(cond)                                                                                                     \
    do {                                                                                                               \
        if (!(cond)) {                                                                                                 \
            ERR_print_errors_fp(stderr);                                                                               \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

static void add_extension(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    MUST(e && X509_add_ext(x, e, -1) == 1);
    X509_EXTENSION_free(e);
}

static char *take_bio(BIO *bio)
{
    char *p;
    long n = BIO_get_mem_data(bio, &p);
    char *text = mem_strndup(p, (size_t)n);

    BIO_free(bio);
    return text;
}

struct cert cert_make(const struct cert_spec *spec)
{
    static long serial = 1;
    struct cert c = { .x = X509_new(), .key = EVP_EC_gen("P-256") };
    bool dated = spec->from_s || spec->until_s;
    X509_NAME *name = X509_get_subject_name(c.x);
    BIO *pem = BIO_new(BIO_s_mem()), *key = BIO_new(BIO_s_mem());

    MUST(c.x && c.key && X509_set_version(c.x, 2) == 1);
    ASN1_INTEGER_set(X509_get_serialNumber(c.x), serial++);
    X509_gmtime_adj(X509_getm_notBefore(c.x), dated ? spec->from_s : -3600);
    X509_gmtime_adj(X509_getm_notAfter(c.x), dated ? spec->until_s : 3600);
    MUST(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)spec->cn, -1, -1, 0) == 1);
    MUST(X509_set_issuer_name(c.x, spec->issuer ? X509_get_subject_name(spec->issuer->x) : name) == 1);
    MUST(X509_set_pubkey(c.x, c.key) == 1);
    if (spec->is_ca)
        add_extension(c.x, NID_basic_constraints, "critical,CA:TRUE");
    if (spec->names)
        add_extension(c.x, NID_subject_alt_name, spec->names);
    MUST(X509_sign(c.x, spec->issuer ? spec->issuer->key : c.key, EVP_sha256()) > 0);
    MUST(PEM_write_bio_X509(pem, c.x) == 1);
    MUST(PEM_write_bio_PrivateKey(key, c.key, NULL, NULL, 0, NULL, NULL) == 1);
    c.pem = take_bio(pem);
    c.key_pem = take_bio(key);
    return c;
}

void cert_done(struct cert *c)
{
    X509_free(c->x);
    EVP_PKEY_free(c->key);
    free(c->pem);
    free(c->key_pem);
}

/* --- the server --- */

static void answer(SSL *ssl)
{
    char request[4096], name[64] = "nobody", text[256];
    size_t n = 0;
    X509 *client = SSL_get1_peer_certificate(ssl);

    while (n < sizeof(request) && (n < 4 || memcmp(request + n - 4, "\r\n\r\n", 4) != 0)) {
        int r = SSL_read(ssl, request + n, (int)(sizeof(request) - n));
        if (r <= 0)
            break;
        n += (size_t)r;
    }
    if (client)
        X509_NAME_get_text_by_NID(X509_get_subject_name(client), NID_commonName, name, sizeof(name));
    X509_free(client);
    int len = snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
                       strlen(name), name);
    SSL_write(ssl, text, len);
    SSL_shutdown(ssl);
}

static void *serve(void *arg)
{
    struct cert_server *s = arg;
    int fd;

    while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
        SSL *ssl = SSL_new(s->ctx);
        SSL_set_fd(ssl, fd);
        if (SSL_accept(ssl) == 1) {
            const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
            free(s->sni);
            s->sni = mem_strdup(sni ? sni : "");
            answer(ssl);
        }
        SSL_free(ssl);
        close(fd);
        ERR_clear_error();
    }
    return NULL;
}

void cert_server_start(struct cert_server *s, const struct cert *cert, const struct cert *chain,
                       const struct cert *client_ca)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof(a);

    *s = (struct cert_server){ .ctx = SSL_CTX_new(TLS_server_method()), .fd = socket(AF_INET, SOCK_STREAM, 0) };
    MUST(SSL_CTX_use_certificate(s->ctx, cert->x) == 1 && SSL_CTX_use_PrivateKey(s->ctx, cert->key) == 1);
    if (chain)
        MUST(SSL_CTX_add1_chain_cert(s->ctx, chain->x) == 1);
    if (client_ca) {
        X509_STORE_add_cert(SSL_CTX_get_cert_store(s->ctx), client_ca->x);
        SSL_CTX_set_verify(s->ctx, SSL_VERIFY_PEER, NULL);
    }
    MUST(bind(s->fd, (struct sockaddr *)&a, len) == 0 && listen(s->fd, 16) == 0 &&
         getsockname(s->fd, (struct sockaddr *)&a, &len) == 0);
    s->port = ntohs(a.sin_port);
    MUST(pthread_create(&s->thread, NULL, serve, s) == 0);
}

void cert_server_stop(struct cert_server *s)
{
    shutdown(s->fd, SHUT_RDWR); /* ends the accept */
    pthread_join(s->thread, NULL);
    close(s->fd);
    SSL_CTX_free(s->ctx);
    free(s->sni);
}
