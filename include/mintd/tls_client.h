/* tls_client.h: whom a client believes. The session (mintd/tls.h) is the same for both sides.
 *
 *      tls_client_context_new()  ->  tls_session_new()  ->  tls_client_expect()  -> tls_handshake()
 */
#ifndef MINTD_TLS_CLIENT_H
#define MINTD_TLS_CLIENT_H

#include "mintd/buffer.h"
#include "mintd/tls.h"

struct tls_client_options {
    const char *ca_file; /* PEM: believed in place of the system's authorities; NULL: those */
    bool believes_all;   /* neither chain nor name is looked at */
};

/* Reads files (blocking). NULL where they cannot be used, or without memory; error then has one
 * line that says what is wrong. */
struct tls_context *tls_client_context_new(const struct tls_client_options *options,
                                           struct buffer *error);

/* Before the handshake: the server's name or address, that has to be in its certificate. A name is
 * told to the server (SNI); an address is no name. False without memory. */
bool tls_client_expect(struct tls_session *session, const char *host);
/* After TLS_FAILED: why the server's certificate is not believed, or NULL where that is not it. */
const char *tls_client_doubt(const struct tls_session *session);
/* After the handshake: whether the server's certificate is the first one of this PEM file. */
bool tls_client_saw(const struct tls_session *session, const char *certificate_file);

#endif
