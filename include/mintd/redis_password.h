/* redis_password.h: a password of Redis that ends, and is made anew: read from a file, or said by a
 * command.
 *
 * One a process. It is made on one loop (of the main thread) and used by links on others. A link
 * that is about to greet Redis asks for it (redis_password_ask()): a file is read then, a command
 * is run where what it said last is SPARED_MS old or was refused; all who ask meanwhile wait for
 * the same. A new one is told to every member, so that links that are up can authenticate again,
 * before the old one ends; so it is made anew at 0.7 of its life, and a file is looked at each
 * LOOK_MS.
 *
 * Failure modes: what cannot be made is told in the log, once for each reason; who asked goes on
 * with the one before, unless that was refused a moment ago. A command that is not done within
 * LIMIT_MS is killed, and all of its process group, also where it has ended itself and something
 * holds its output open. A password is wiped from memory when it is replaced. */
#ifndef MINTD_REDIS_PASSWORD_H
#define MINTD_REDIS_PASSWORD_H

#include "mintd/slice.h"
#include <stdint.h>

struct uv_loop_s;

#define REDIS_PASSWORD_MAX 8192u /* bytes; one is a signed token sometimes */
#define REDIS_PASSWORD_LOOK_MS 10000u
#define REDIS_PASSWORD_SPARED_MS 10000u
#define REDIS_PASSWORD_LIMIT_MS 10000u
#define REDIS_PASSWORD_LIFE_S 900u /* where its command does not say */

struct redis_password;
struct redis_password_member;

struct redis_password_options {
    const char *file;    /* its text without newlines at its end; or NULL */
    const char *command; /* of /bin/sh; or NULL: one of the two is given. It prints one line, or
                            {"password": "...", "expires_in": seconds}. Its environment is
                            ours without MINTD_... */
};

/* Both texts outlive it. NULL: no memory, or the loop refuses. */
struct redis_password *redis_password_new(struct uv_loop_s *loop,
                                          const struct redis_password_options *options);
/* On its loop: made anew, now. */
void redis_password_renew(struct redis_password *password);
/* On its loop, which then has to run: what is under way ends. Nobody is told any more. */
void redis_password_close(struct redis_password *password);
/* After its loop has ended and all members have left. NULL is fine. */
void redis_password_free(struct redis_password *password);

/* ---- for whoever uses it, on any thread ---- */

/* `wake` is called on the maker's thread whenever there is news: a new one, or none to be had; with
 * a lock held: it wakes its owner and does nothing else. NULL: no memory. */
struct redis_password_member *redis_password_join(struct redis_password *password,
                                                  void (*wake)(void *context), void *context);
void redis_password_leave(struct redis_password_member *member);

/* Wants one that is as new as can be, and another than number `refused` (0: none was). True: the
 * one at hand is (redis_password_take()). False: wake is called once there is one, or none. */
bool redis_password_ask(struct redis_password_member *member, uint64_t refused);
/* Whether what was asked for is still being made. */
bool redis_password_is_awaited(struct redis_password_member *member);
/* The newest one, copied (REDIS_PASSWORD_MAX bytes of room; the caller wipes it), and its size.
 * Its number counts from 1; 0: there is none. */
uint64_t redis_password_take(struct redis_password_member *member, char *text, size_t *size);
/* The number alone. */
uint64_t redis_password_number(struct redis_password_member *member);

#endif
