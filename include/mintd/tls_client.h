/* tls_client.h: which server a client believes. The session (mintd/tls.h) is the same for both
 * sides.
 *
 *     tls_client_context_new()  ->  tls_session_new()  ->  tls_client_expect()  ->
 * tls_handshake() */
#ifndef MINTD_TLS_CLIENT_H
#define MINTD_TLS_CLIENT_H

#include "mintd/buffer.h"
#include "mintd/tls.h"

struct tls_client_options {
    struct slice ca;               /* as tls_use_authorities() takes it; absent: the system's */
    struct slice certificate, key; /* files of our own certificate; both absent: none */
    bool believes_all;             /* neither chain nor name is checked */
};

/* Reads the files, which blocks. The rules: TLS 1.2 and 1.3, no renegotiation. No session is kept,
 * so each handshake checks the certificate. NULL: the files cannot be used, or there is no memory.
 * `error` then has one line that says what is wrong. no_memory (may be NULL) tells that memory was
 * short, and that the files may be right. */
struct tls_context *tls_client_context_new(const struct tls_client_options *options,
                                           struct buffer *error, bool *no_memory);

/* Whether this can stand in a certificate: a name without wildcards, or an address. */
bool tls_client_host_is_valid(struct slice host);
/* Before the handshake: sets the name or address that has to be in the server's certificate. A
 * name is sent to the server (SNI), an address is not. A dot at the end is not part of the name.
 * False: no memory, or the host is not valid. */
bool tls_client_expect(struct tls_session *session, const char *host);

/* Why a session has failed. */
enum tls_fault {
    TLS_FAULT_NAME,    /* the certificate is good, but for another name */
    TLS_FAULT_CHAIN,   /* no authority that we believe has signed it */
    TLS_FAULT_EXPIRED, /* it, or one that signed it, has expired or is not valid yet */
    TLS_FAULT_VERSION, /* the server speaks neither TLS 1.2 nor 1.3 */
    TLS_FAULT_REFUSED, /* the server refused, mostly our certificate or the lack of one */
    TLS_FAULT_OTHER,
};
/* After TLS_FAILED. tls_problem() and tls_client_doubt() have the words. */
enum tls_fault tls_client_fault(const struct tls_session *session);
/* After TLS_FAILED: why the server's certificate is not believed; NULL: that was not the reason. */
const char *tls_client_doubt(const struct tls_session *session);

/* After TLS_FAULT_NAME: the names and addresses that the certificate is for, separated by spaces.
 * A long list is cut; "" where there are none. It consists only of letters, digits and "-_.:*". */
const char *tls_client_names(const struct tls_session *session);

/* After the handshake: whether the server's certificate is the first one of this PEM file. */
bool tls_client_saw(const struct tls_session *session, const char *certificate_file);
/* After the handshake. The texts live as long as the session. */
struct tls_client_view {
    const char *version, *cipher; /* such as "TLSv1.3" */
    long long seconds_left; /* until the server's certificate expires; negative: it has expired */
    long long expires_s;    /* when it expires, in Unix time; 0: the server showed none */
};
struct tls_client_view tls_client_look(const struct tls_session *session);

#endif
