/* tls_client.h: the client's side of one TLS connection: records in, plaintext out, and back. It
 * knows no sockets: whoever has one carries the records, whether it blocks or not.
 *
 *      tls_client_feed(records)  ->  tls_client_shake(), tls_client_read()  ->  plaintext
 *      plaintext  ->  tls_client_write()  ->  tls_client_take()  ->  records
 *
 * After each of the calls in the middle there may be records to take: the handshake's, alerts, key
 * updates. TLS 1.2 and 1.3. A struct tls_client belongs to one thread. */
#ifndef MINTD_TLS_CLIENT_H
#define MINTD_TLS_CLIENT_H

#include "mintd/buffer.h"

struct tls_client;

/* Whom to believe. */
struct tls_client_options {
    const char *host;    /* a name or an address: asked for (SNI), and to be in the certificate */
    const char *ca_file; /* PEM: believed in place of the system's authorities; NULL: those */
    bool believes_all;   /* neither chain nor name is looked at */
};

enum tls_client_step {
    TLS_CLIENT_DONE,  /* the handshake is over; or plaintext has been read */
    TLS_CLIENT_MORE,  /* all that was fed is taken, and more is needed */
    TLS_CLIENT_ENDED, /* the server has said that nothing follows (close_notify) */
    TLS_CLIENT_FAILED /* see tls_client_problem(); it is of no use any more */
};

/* Reads files (blocking). NULL where they cannot be used, or without memory; error then has one
 * line that says what is wrong. */
struct tls_client *tls_client_new(const struct tls_client_options *options, struct buffer *error);
void tls_client_free(struct tls_client *client); /* NULL is fine */

/* Copied. False without memory. */
bool tls_client_feed(struct tls_client *client, const char *records, size_t size);
enum tls_client_step tls_client_shake(struct tls_client *client);
/* DONE: *count bytes are in `plain`. */
enum tls_client_step tls_client_read(struct tls_client *client, char *plain, size_t size,
                                     size_t *count);
/* Once the handshake is over. False where it failed. */
bool tls_client_write(struct tls_client *client, const char *plain, size_t size);
/* The next records to be sent, up to `size` bytes of them; 0: there are none. */
size_t tls_client_take(struct tls_client *client, char *records, size_t size);

/* After FAILED: why, in one line. */
const char *tls_client_problem(const struct tls_client *client);
/* After the handshake: whether the server's certificate is the first one of this PEM file. */
bool tls_client_saw(const struct tls_client *client, const char *certificate_file);

#endif
