/* The password that a link is greeted with, where it is one that ends (mintd/redis_password.h).
 *
 * Each attempt asks for one that is as new as can be; one that was refused is not tried again
 * until a while has passed, since it may be Redis that comes to know it late. A link that is up
 * says a new one as soon as there is one, and is the same connection afterwards: what it brought
 * stays in memory. */
#include "store/redis/redis_store_internal.h"

#include "mintd/redis_password.h"
#include <stdlib.h>

#define REFUSED_SPARED_MS 10000u /* one that was refused */

static void wake(void *context) {
    const struct redis_login *login = &((struct redis_store *)context)->login;
    login->wake(login->wake_context);
}

bool login_init(struct redis_store *store, const struct redis_store_options *options) {
    struct redis_login *login = &store->login;
    if (options->password == NULL) {
        return true;
    }
    login->wake = options->wake;
    login->wake_context = options->wake_context;
    login->member = redis_password_join(options->password, wake, store);
    return login->member != NULL;
}

void login_fini(struct redis_store *store) {
    redis_password_leave(store->login.member);
    store->login.member = NULL;
}

/* The newest, for the link. False: no memory. */
static bool take(struct redis_store *store) {
    struct redis_login *login = &store->login;
    char *text = malloc(REDIS_PASSWORD_MAX);
    size_t size;
    if (text == NULL) {
        return false;
    }
    uint64_t number = redis_password_take(login->member, text, &size);
    bool taken = number == 0 || number == login->number ||
                 link_set_password(store->link, slice_of(text, size));
    explicit_bzero(text, size);
    free(text);
    login->number = taken ? number : login->number;
    return taken;
}

void login_ask(struct redis_store *store) {
    if (store->login.member != NULL) {
        (void)redis_password_ask(store->login.member, store->login.refused);
    }
}

/* It was refused a moment ago. */
static bool is_spared(const struct redis_store *store) {
    const struct redis_login *login = &store->login;
    return login->number == login->refused &&
           uv_now(store->loop) - login->refused_ms < REFUSED_SPARED_MS;
}

bool login_is_ready(struct redis_store *store) {
    struct redis_login *login = &store->login;
    if (login->member == NULL) {
        return true;
    }
    if (redis_password_is_awaited(login->member)) {
        return false;
    }
    if (!take(store)) {
        link_fail(store->link, STORE_TROUBLE_NOAUTH, "out of memory");
        return false;
    }
    if (login->number == 0 ||
        is_spared(store)) { /* told once: in the words that are told already */
        link_fail(store->link, STORE_TROUBLE_NOAUTH,
                  login->number == 0 ? "there is no password: the log says why" : login->why);
        return false;
    }
    return true;
}

bool login_is_awaited(struct redis_store *store) {
    return store->login.member != NULL && redis_password_is_awaited(store->login.member);
}

/* The link is up: a newer one than it was greeted with is said at once. */
void login_renew(struct redis_store *store) {
    struct redis_login *login = &store->login;
    if (login->member == NULL || link_state(store->link) != LINK_UP ||
        redis_password_number(login->member) == login->number) {
        return;
    }
    if (take(store)) {
        link_authenticate(store->link);
    }
}

void login_on_refused(struct redis_store *store, const char *why) {
    struct redis_login *login = &store->login;
    login->refused = login->number;
    login->refused_ms = uv_now(store->loop);
    login->why = why;
    if (link_state(store->link) == LINK_UP) {
        login_ask(store);
    }
}
