/* tls_internal.h: a session's inside, for tls.c (both sides) and tls_client.c (what only a client
 * asks). */
#ifndef MINTD_TLS_INTERNAL_H
#define MINTD_TLS_INTERNAL_H

#include "mintd/tls.h"
#include <openssl/ssl.h>

#define TLS_NAMES_MAX 64u

struct tls_session {
    struct tls_context *context;
    SSL *ssl;
    struct block_pool *blocks;
    struct slice input;      /* fed, and not taken yet */
    const char *records_end; /* of what was taken, in memory of OpenSSL's; or NULL */
    struct block *output;
    unsigned key_updates; /* of the peer's, less those that its plaintext allows */
    size_t plain_bytes;   /* that have not allowed one yet */
    bool failed;
    unsigned long problem;
    char names[TLS_NAMES_MAX]; /* that a certificate is for which was not believed for them */
};

/* Wipes the records in this memory of OpenSSL's, which is about to be given back. Does nothing
 * where none were read into it. */
void tls_wipe_records(void *memory);

#endif
