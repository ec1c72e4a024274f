/* redis_target.c: what is known of a Redis before it is spoken to. */
#include "clients/redis.h"
#include "mintd/crypto.h"
#include "mintd/localhost.h"
#include <arpa/inet.h>

static bool is_loopback(const char *host) {
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 || host_is_localhost(host);
}

static bool is_address(const char *host) {
    unsigned char bytes[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

void redis_target_describe(struct redis_target *target) {
    const struct redis_url *url = &target->redis;
    redis_url_describe(url, target->address, sizeof target->address);
    target->is_local = url->is_unix || is_loopback(url->host);
    target->is_literal = url->is_unix || is_address(url->host);
    for (unsigned i = 0; i < url->seed_count; i++) {
        target->is_local = is_loopback(url->seeds[i].host) && (i == 0 || target->is_local);
    }
}

void redis_target_fini(struct redis_target *target) {
    tls_context_free(target->context);
    crypto_wipe(target, sizeof *target);
}
