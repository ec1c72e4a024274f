/* tls_front.h: TLS in front of a scripted Redis, in the test's own loop: it takes connections on
 * 127.0.0.1, and whatever a test wants goes wrong. Without a context it passes bytes on as they
 * are. */
#ifndef MINTD_TEST_TLS_FRONT_H
#define MINTD_TEST_TLS_FRONT_H

#include "mintd/slice.h"
#include "mintd/tls.h"
#include "support/authority.h"
#include <uv.h>

struct front_connection;

struct tls_front {
    uv_loop_t *loop;
    uv_tcp_t listener;
    unsigned port;
    char behind[96]; /* the path of the scripted Redis */
    struct front_connection *connections;

    /* What was seen, ever. */
    unsigned accepted;
    unsigned greeted; /* handshakes that were done */
    size_t heard;     /* bytes of plaintext */
    char sni[64];     /* of the newest handshake; "" for none */

    /* The test's to set at any time. */
    struct tls_context *tls;  /* for new connections; the front's own */
    bool bytewise_records;    /* one byte a record */
    bool bytewise_segments;   /* one byte a turn; in the handshake some */
    bool is_mute;             /* takes what comes, and says nothing */
    bool cuts;                /* where Redis closes, there is no close_notify */
    size_t cut_after;         /* bytes of TLS, of each connection; 0: never */
    size_t end_after;         /* bytes of plaintext: then close_notify; 0: never */
    struct slice plain_words; /* said to who connects, in place of TLS */
};

void front_open(struct tls_front *front, uv_loop_t *loop, const char *behind);
/* Begins to close; the loop has to run on. */
void front_close(struct tls_front *front);
/* New connections are shown this certificate; `version`: TLS1_2_VERSION and so on, 0 for any. */
void front_show(struct tls_front *front, const struct issued *issued, int version);
/* The same, and those who connect must show one that this authority has signed. */
void front_ask_for_certificates(struct tls_front *front, const struct authority *authority);
/* Reads nothing more from those who are connected; and reads on. */
void front_stop_hearing(struct tls_front *front);
void front_hear(struct tls_front *front);
/* Says this to them, which is no record that they understand. */
void front_say_plain(struct tls_front *front, struct slice bytes);
/* Asks those who are connected for another handshake (TLS 1.2) or another key (TLS 1.3). */
void front_rekey(struct tls_front *front);
void front_drop(struct tls_front *front);

#endif
