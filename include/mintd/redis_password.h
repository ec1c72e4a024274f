/* redis_password.h: a password of Redis that expires and is made anew. It is read from a file (as
 * it is, or as part of Redis' URL), or a command prints it.
 *
 * A process has one. It is made on one loop, that of the main thread, and used by links on other
 * loops. A link that is about to greet Redis asks for it (redis_password_ask()). A file is then
 * read. A command is run where its last word is SPARED_MS old or was refused. All who ask
 * meanwhile wait for the same result. Every member hears of a new password, so that links that are
 * up can authenticate again before the old one ends. For that, a command is run again at 0.7 of
 * the life that it named, and a file is read each LOOK_MS.
 *
 * Failure modes: what gives no password is logged, once for each reason. Who asked goes on with
 * the password before, unless that was refused a moment ago. A command that takes longer than
 * LIMIT_MS is killed with all of its process group; so is one that has ended itself while
 * something still holds its output open. A password is wiped from memory when it is replaced. */
#ifndef MINTD_REDIS_PASSWORD_H
#define MINTD_REDIS_PASSWORD_H

#include "mintd/slice.h"
#include <stdint.h>

struct redis_url;
struct uv_loop_s;

#define REDIS_PASSWORD_MAX 8192u /* bytes; some are signed tokens */
#define REDIS_PASSWORD_LOOK_MS 10000u
#define REDIS_PASSWORD_SPARED_MS 10000u
#define REDIS_PASSWORD_LIMIT_MS 10000u
#define REDIS_PASSWORD_LIFE_S 900u /* the life where the command does not name one */

struct redis_password;
struct redis_password_member;

struct redis_password_options {
    const char *file; /* a file: its text without newlines at its end; or NULL */
    /* The URL that the file had at the start, where the file holds a whole URL and not only a
     * password; or NULL. The password of this URL is good until the file has another one. If more
     * of the URL has changed than the password, the file gives no password. */
    const struct redis_url *url;
    /* A command for /bin/sh; or NULL. Exactly one of file and command is given. It prints one
     * line, or {"password": "...", "expires_in": seconds}. Its environment is ours without
     * MINTD_... */
    const char *command;
};

/* What the options point to outlives it. NULL: no memory, or the loop refuses. */
struct redis_password *redis_password_new(struct uv_loop_s *loop,
                                          const struct redis_password_options *options);
/* On its loop: makes the password anew, now. */
void redis_password_renew(struct redis_password *password);
/* On its loop: ends what is under way; the loop has to run for that. No member is woken any
 * more. */
void redis_password_close(struct redis_password *password);
/* To be called after its loop has ended and all members have left. NULL is fine. */
void redis_password_free(struct redis_password *password);

/* ---- for those that use it, on any thread ---- */

/* Joins. `wake` is called on the maker's thread whenever there is news: a new password, or that
 * none can be had. A lock is held then, so it may only wake its owner. NULL: no memory. */
struct redis_password_member *redis_password_join(struct redis_password *password,
                                                  void (*wake)(void *context), void *context);
void redis_password_leave(struct redis_password_member *member);

/* Asks for a password that is as new as possible, and not number `refused` (0: none was refused).
 * True: the present one will do; take it with redis_password_take(). False: `wake` is called once
 * there is one, or it is clear that there is none. */
bool redis_password_ask(struct redis_password_member *member, uint64_t refused);
/* Whether what was asked for is still being made. */
bool redis_password_is_awaited(struct redis_password_member *member);
/* Copies the newest password, and sets its size. `text` has room for REDIS_PASSWORD_MAX bytes; the
 * caller wipes it. Returns its number, which counts from 1; 0: there is none. */
uint64_t redis_password_take(struct redis_password_member *member, char *text, size_t *size);
/* Only the number of the newest one. */
uint64_t redis_password_number(struct redis_password_member *member);

#endif
