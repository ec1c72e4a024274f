/* The password itself, and who is told of it; made by password_maker.c. */
#include "store/redis/password_internal.h"

#include "mintd/clock.h"
#include <stdlib.h>
#include <string.h>

struct redis_password_member {
    struct redis_password *password;
    void (*wake)(void *context);
    void *context;
    struct redis_password_member *next;
};

/* ---- members ---- */

struct redis_password_member *redis_password_join(struct redis_password *password,
                                                  void (*wake)(void *context), void *context) {
    struct redis_password_member *member = malloc(sizeof *member);
    if (member == NULL) {
        return NULL;
    }
    *member = (struct redis_password_member){password, wake, context, NULL};
    pthread_mutex_lock(&password->lock);
    member->next = password->members;
    password->members = member;
    pthread_mutex_unlock(&password->lock);
    return member;
}

void redis_password_leave(struct redis_password_member *member) {
    if (member == NULL) {
        return;
    }
    struct redis_password *password = member->password;
    pthread_mutex_lock(&password->lock);
    struct redis_password_member **place = &password->members;
    while (*place != member) {
        place = &(*place)->next;
    }
    *place = member->next;
    pthread_mutex_unlock(&password->lock);
    free(member);
}

static void wake_all(struct redis_password *password) {
    for (struct redis_password_member *m = password->members; m != NULL; m = m->next) {
        m->wake(m->context);
    }
}

/* ---- what is wanted ---- */

/* One that was refused is asked for again and again until there is another: not at once each time.
 */
static bool is_good(const struct redis_password *password, uint64_t refused) {
    uint64_t age_ms = clock_monotonic_ms() - password->tried_ms;
    uint64_t spared_ms = password->options.command == NULL ? 0
                         : password->number == refused     ? PASSWORD_AGAIN_MS
                                                           : REDIS_PASSWORD_SPARED_MS;
    return password->was_tried && age_ms < spared_ms;
}

bool redis_password_ask(struct redis_password_member *member, uint64_t refused) {
    struct redis_password *password = member->password;
    pthread_mutex_lock(&password->lock);
    bool good = !password->is_wanted && is_good(password, refused);
    bool begins = !good && !password->is_wanted && !password->is_closed;
    password->is_wanted = password->is_wanted || begins;
    if (begins) {
        uv_async_send(&password->wanted);
    }
    pthread_mutex_unlock(&password->lock);
    return good;
}

bool redis_password_is_awaited(struct redis_password_member *member) {
    struct redis_password *password = member->password;
    pthread_mutex_lock(&password->lock);
    bool awaited = password->is_wanted;
    pthread_mutex_unlock(&password->lock);
    return awaited;
}

uint64_t redis_password_take(struct redis_password_member *member, char *text, size_t *size) {
    struct redis_password *password = member->password;
    pthread_mutex_lock(&password->lock);
    uint64_t number = password->number;
    *size = password->size;
    memcpy(text, password->text, password->size);
    pthread_mutex_unlock(&password->lock);
    return number;
}

uint64_t redis_password_number(struct redis_password_member *member) {
    struct redis_password *password = member->password;
    pthread_mutex_lock(&password->lock);
    uint64_t number = password->number;
    pthread_mutex_unlock(&password->lock);
    return number;
}

/* ---- for the maker ---- */

static void end_try(struct redis_password *password) {
    password->is_wanted = false;
    password->was_tried = true;
    password->tried_ms = clock_monotonic_ms();
    wake_all(password);
}

void password_give(struct redis_password *password, struct slice text) {
    pthread_mutex_lock(&password->lock);
    if (!slice_equal(text, slice_of(password->text, password->size))) {
        explicit_bzero(password->text, password->size);
        memcpy(password->text, text.data, text.size);
        password->size = text.size;
        password->number++;
    }
    end_try(password);
    pthread_mutex_unlock(&password->lock);
}

void password_have_none(struct redis_password *password) {
    pthread_mutex_lock(&password->lock);
    end_try(password);
    pthread_mutex_unlock(&password->lock);
}
