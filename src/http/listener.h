/* listener.h: accepts connections on one listening socket.
 *
 * The socket is polled and accept4() called here, not by libuv: so that a connection can be turned
 * away without memory, and a lack of descriptors cannot make the loop spin. */
#ifndef MINTD_HTTP_LISTENER_H
#define MINTD_HTTP_LISTENER_H

#include "http/server.h"

#define LISTENER_BACKLOG 4096u /* the longest queue of a socket */

/* Takes over fd, also on failure; 0 or a libuv error. */
int listener_open(struct http_server *server, int fd);
/* Of a server that listens_later; false and errno where a socket cannot. */
bool listeners_listen(struct http_server *server);
/* Accepts what waits, and closes them. */
void listeners_end(struct http_server *server);
void listeners_close(struct http_server *server);
/* Those that ran out of descriptors or memory try again; the reserve is renewed. */
void listeners_resume(struct http_server *server);

#endif
