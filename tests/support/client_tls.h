/* client_tls.h: what makes a struct client speak TLS. client.c calls it; a test calls the first
 * two.
 *
 * From client_tls_start() on each client_connect() to a TCP address shakes hands, and returns once
 * that is done, or cannot be. */
#ifndef MINTD_TEST_CLIENT_TLS_H
#define MINTD_TEST_CLIENT_TLS_H

#include "support/client.h"

/* Trusts the certificates of this file. */
void client_tls_start(const char *trusted_file);
void client_tls_stop(void);
bool client_tls_is_on(void);
/* Set while OpenSSL works for a client: a test of failing allocations spares it then. */
extern bool client_tls_is_at_work;
/* How a client waits: runs the loop of the server at this address until is_so(client). The fixture
 * sets it. */
extern void (*client_tls_wait)(struct slice address, bool (*is_so)(void *client),
                               struct client *client);

/* The records that hold this; what has been sealed must be sent in this order. */
size_t client_tls_seal(struct client *client, struct slice plain, char *records, size_t capacity);
/* Whether the server has sent close_notify. */
bool client_tls_was_ended(const struct client *client);
bool client_tls_is_ready(void *client); /* shaken hands */
/* "TLSv1.2" or "TLSv1.3" at most, for clients that connect from now on. */
void client_tls_limit(const char *version);
/* The name that the server's certificate was issued to. */
void client_tls_server_name(const struct client *client, char *name, size_t capacity);
/* Asks for a renegotiation (TLS 1.2) or for a new key (TLS 1.3). */
void client_tls_rekey(struct client *client);
/* Has a new key itself (TLS 1.3), and asks for none. */
void client_tls_update_key(struct client *client);

/* For client.c. */
void client_tls_open(struct client *client);
void client_tls_close(struct client *client);
size_t client_tls_push(struct client *client, struct slice bytes);
/* Opens records that have come, and sends what is due. Appends to client->data. */
void client_tls_take(struct client *client, const char *records, size_t size);
void client_tls_shut(struct client *client);

#endif
