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
    struct redis_store *store = context;
    store->copies.wake(store->copies.wake_context);
}

bool login_init(struct redis_store *store, const struct redis_store_options *options) {
    if (options->password == NULL) {
        return true;
    }
    store->password = redis_password_join(options->password, wake, store);
    return store->password != NULL;
}

void login_fini(struct redis_store *store) {
    redis_password_leave(store->password);
    store->password = NULL;
}

/* The newest, for the link. False: no memory. */
static bool take(struct redis_node *node) {
    struct redis_login *login = &node->login;
    char *text = malloc(REDIS_PASSWORD_MAX);
    size_t size;
    if (text == NULL) {
        return false;
    }
    uint64_t number = redis_password_take(node->store->password, text, &size);
    bool taken = number == 0 || number == login->number ||
                 link_set_password(node->link, slice_of(text, size));
    explicit_bzero(text, size);
    free(text);
    login->number = taken ? number : login->number;
    return taken;
}

void login_ask(struct redis_node *node) {
    if (node->store->password != NULL) {
        (void)redis_password_ask(node->store->password, node->login.refused);
    }
}

/* It was refused a moment ago. */
static bool is_spared(const struct redis_node *node) {
    const struct redis_login *login = &node->login;
    return login->number == login->refused &&
           uv_now(node->store->loop) - login->refused_ms < REFUSED_SPARED_MS;
}

bool login_is_ready(struct redis_node *node) {
    struct redis_login *login = &node->login;
    struct redis_store *store = node->store;
    if (store->password == NULL) {
        return true;
    }
    if (redis_password_is_awaited(store->password)) {
        return false;
    }
    if (!take(node)) {
        link_fail(node->link, STORE_TROUBLE_NOAUTH, "out of memory");
        return false;
    }
    if (login->number == 0 || is_spared(node)) { /* told once: in the words that are told already */
        link_fail(node->link, STORE_TROUBLE_NOAUTH,
                  login->number == 0 ? "there is no password: the log says why" : login->why);
        return false;
    }
    return true;
}

bool login_is_awaited(const struct redis_store *store) {
    return store->password != NULL && redis_password_is_awaited(store->password);
}

/* The link is up: a newer one than it was greeted with is said at once. */
void login_renew(struct redis_node *node) {
    struct redis_password_member *password = node->store->password;
    if (password == NULL || !node_is_up(node) ||
        redis_password_number(password) == node->login.number) {
        return;
    }
    if (take(node)) {
        link_authenticate(node->link);
    }
}

void login_on_refused(struct redis_node *node, const char *why) {
    struct redis_login *login = &node->login;
    login->refused = login->number;
    login->refused_ms = uv_now(node->store->loop);
    login->why = why;
    if (node_is_up(node)) {
        login_ask(node);
    }
}
