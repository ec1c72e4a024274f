/* stream_internal.h: the stream's inside, for stream_addresses.c, stream.c (sockets) and
 * stream_tls.c (what TLS puts between these and the owner). */
#ifndef MINTD_REDIS_STREAM_INTERNAL_H
#define MINTD_REDIS_STREAM_INTERNAL_H

#include "store/link/stream.h"

/* stream.c */
/* Of the socket that is open: the next address, or the end; once it was connected, the end. */
void stream_fail(struct redis_stream *stream, enum store_trouble trouble, const char *reason);
/* The same, for an error of libuv. */
void stream_fail_as(struct redis_stream *stream, int error);
/* The next of its addresses, in its turn; not looked at for a unix socket. */
void stream_connect_to_next(struct redis_stream *stream);
/* The owner's from now on. */
void stream_set_connected(struct redis_stream *stream);
/* To the socket as it is. */
ssize_t stream_send_raw(struct redis_stream *stream, const char *data, size_t size);

/* stream_tls.c */
/* Begins the handshake. */
void secure_start(struct redis_stream *stream);
void secure_take(struct redis_stream *stream, struct slice records);
ssize_t secure_send(struct redis_stream *stream, const char *plain, size_t size);
/* What was sealed has been written, or never will be. */
void secure_written(struct redis_stream *stream, bool written);
/* The other side has ended the connection, in the kernel's words. */
void secure_cut(struct redis_stream *stream);
/* Says close_notify, or the alert that is due, as far as the socket takes it. */
void secure_end(struct redis_stream *stream);
void secure_free(struct redis_stream *stream); /* the session */

#endif
