/* tls_client.h: whom a client believes. The session (mintd/tls.h) is the same for both sides.
 *
 *      tls_client_context_new()  ->  tls_session_new()  ->  tls_client_expect()  -> tls_handshake()
 */
#ifndef MINTD_TLS_CLIENT_H
#define MINTD_TLS_CLIENT_H

#include "mintd/buffer.h"
#include "mintd/tls.h"

struct tls_client_options {
    struct slice ca;               /* as tls_use_authorities() takes it; absent: the system's */
    struct slice certificate, key; /* files of our own certificate; both absent: none */
    bool believes_all;             /* neither chain nor name is looked at */
};

/* Reads files (blocking). TLS 1.2 and 1.3, no renegotiation; no session is kept: each handshake
 * looks at the certificate. NULL where the files cannot be used, or without memory; error then has
 * one line that says what is wrong, and no_memory (NULL: nobody asks) tells that it was memory, and
 * the files may be right. */
struct tls_context *tls_client_context_new(const struct tls_client_options *options,
                                           struct buffer *error, bool *no_memory);

/* Whether this can stand in a certificate: a name, without wildcards, or an address. */
bool tls_client_host_is_valid(struct slice host);
/* Before the handshake: the server's name or address, that has to be in its certificate. A name is
 * told to the server (SNI); an address is no name. A dot at the end is not part of it. False
 * without memory, or where the host is not valid. */
bool tls_client_expect(struct tls_session *session, const char *host);

/* Why a session has failed. */
enum tls_fault {
    TLS_FAULT_NAME,    /* the certificate is right, and another's */
    TLS_FAULT_CHAIN,   /* nobody whom we believe has signed it */
    TLS_FAULT_EXPIRED, /* or is not valid yet: it, or one that signed it */
    TLS_FAULT_VERSION, /* it speaks TLS 1.2 and 1.3 both not */
    TLS_FAULT_REFUSED, /* the server said no: mostly to our certificate, or to none */
    TLS_FAULT_OTHER,
};
/* After TLS_FAILED; tls_problem() and tls_client_doubt() have the words. */
enum tls_fault tls_client_fault(const struct tls_session *session);
/* After TLS_FAILED: why the server's certificate is not believed, or NULL where that is not it. */
const char *tls_client_doubt(const struct tls_session *session);

/* After TLS_FAULT_NAME: the names and addresses that the certificate is for, separated by spaces,
 * cut where they are many; "" where it has none. Letters, digits and "-_.:*" only. */
const char *tls_client_names(const struct tls_session *session);

/* After the handshake: whether the server's certificate is the first one of this PEM file. */
bool tls_client_saw(const struct tls_session *session, const char *certificate_file);
/* After the handshake; the texts live as long as the session. */
struct tls_client_view {
    const char *version, *cipher; /* "TLSv1.3" */
    long long seconds_left;       /* until the server's certificate expires; negative: it has */
};
struct tls_client_view tls_client_look(const struct tls_session *session);

#endif
