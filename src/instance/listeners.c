/* listeners.c: the sockets that an instance listens on: opened once on the main thread, one for
 * each worker and address. */
#include "instance/instance_internal.h"
#include "mintd/log.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define LISTEN_ERROR_MAX 512u

unsigned instance_sockets_max(const struct instance *instance) {
    return instance->options->listen_count * HTTP_ADDRESSES_MAX;
}

int *instance_fd_of(struct instance *instance, unsigned worker, unsigned socket) {
    return &instance->fds[worker * instance_sockets_max(instance) + socket];
}

/* False, and told, where it cannot be; `may_be_absent`: unless this machine has no such address. */
static bool listen_at(struct slice address, struct http_sockets *sockets, bool may_be_absent) {
    char storage[LISTEN_ERROR_MAX];
    struct buffer error = buffer_of(storage, sizeof storage);
    enum http_listened listened = http_listen(address, sockets, &error);
    if (listened == HTTP_HAS_NO_SUCH_ADDRESS && may_be_absent) {
        log_info("not listening: this machine has no such address", LOG_TEXT("address", address));
        sockets->addresses = 0;
        return true;
    }
    if (listened != HTTP_LISTENS) {
        fprintf(stderr, "mintd: %.*s\n", (int)error.size, error.data);
    }
    return listened == HTTP_LISTENS;
}

static void tell_listener(int fd, bool has_tls) {
    char storage[HTTP_ADDRESS_MAX];
    struct buffer name = buffer_of(storage, sizeof storage);
    http_listener_name(fd, &name);
    log_info("listening", LOG_TEXT("address", buffer_slice(&name)));
    if (!http_address_is_local(buffer_slice(&name)) && !has_tls) {
        log_warning(
            "this listener is reachable from other machines and has no TLS: give --tls-cert "
            "and --tls-key (for those of --listen), or put a proxy with TLS in front of it",
            LOG_TEXT("address", buffer_slice(&name)));
    }
}

/* They are only bound so far. */
static bool start_listening(const struct http_sockets *sockets) {
    for (unsigned i = 0; i < sockets->addresses * sockets->count; i++) {
        if (!http_start_listening(sockets->fds[i])) {
            perror("mintd: listen");
            return false;
        }
    }
    return true;
}

/* With --reuse-port the kernel does not mind two that are the same. */
static bool is_new(struct instance *instance, int fd) {
    char storage[HTTP_ADDRESS_MAX], other_storage[HTTP_ADDRESS_MAX];
    struct buffer name = buffer_of(storage, sizeof storage);
    http_listener_name(fd, &name);
    for (unsigned i = 0; i < instance->socket_count; i++) {
        struct buffer other = buffer_of(other_storage, sizeof other_storage);
        http_listener_name(*instance_fd_of(instance, 0, i), &other);
        if (slice_equal(buffer_slice(&name), buffer_slice(&other))) {
            fprintf(stderr, "mintd: %.*s: it is given twice with --listen\n", (int)name.size,
                    name.data);
            return false;
        }
    }
    return true;
}

static bool open_listener(struct instance *instance, unsigned listener) {
    const struct instance_options *options = instance->options;
    int fds[INSTANCE_WORKERS_MAX * HTTP_ADDRESSES_MAX];
    struct http_sockets sockets = {
        .count = options->workers, .fds = fds, .may_share = options->reuse_port};
    bool is_spare = options->listens_by_default && instance->socket_count != 0;
    if (!listen_at(options->listen[listener], &sockets, is_spare)) {
        return false;
    }
    for (unsigned i = 0; i < sockets.addresses; i++) {
        if (options->reuse_port && !is_new(instance, fds[i * options->workers])) {
            return false;
        }
        for (unsigned worker = 0; worker < options->workers; worker++) {
            *instance_fd_of(instance, worker, instance->socket_count) =
                fds[i * options->workers + worker];
        }
        instance->socket_count++;
    }
    /* Else another program that serves the port goes on doing so until this one can. */
    if (options->reuse_port && !sockets.is_shared && !start_listening(&sockets)) {
        return false;
    }
    instance->is_shared = instance->is_shared || sockets.is_shared;
    instance->listening++;
    return true;
}

/* A handshake that is under way as a socket closes ends in a reset, unless the kernel hands it over
 * to another that listens there (Linux 5.14). */
static void warn_of_resets(void) {
    char setting = '0';
    int fd = open("/proc/sys/net/ipv4/tcp_migrate_req", O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && read(fd, &setting, 1) != 1) {
        setting = '0';
    }
    if (fd >= 0) {
        close(fd);
    }
    bool has_settings = access("/proc/sys", F_OK) == 0; /* a unit may see processes alone there */
    if (setting != '1' && has_settings) {
        log_warning("connections that arrive as another program on the port ends may be reset: "
                    "sysctl -w net.ipv4.tcp_migrate_req=1");
    }
}

bool instance_open_listeners(struct instance *instance) {
    const struct instance_options *options = instance->options;
    for (unsigned i = 0; i < options->listen_count; i++) {
        if (!open_listener(instance, i)) {
            return false;
        }
    }
    struct http_sockets metrics = {.count = 1, .fds = instance->metrics_fds};
    bool ok = slice_is_absent(options->metrics_listen) ||
              listen_at(options->metrics_listen, &metrics, false);
    instance->metrics_fd_count = ok ? metrics.addresses : 0;
    if (ok && options->reuse_port) {
        warn_of_resets();
    }
    return ok;
}

void instance_tell_listeners(struct instance *instance) {
    for (unsigned i = 0; i < instance->socket_count; i++) {
        tell_listener(*instance_fd_of(instance, 0, i), instance->options->tls != NULL);
    }
    for (unsigned i = 0; i < instance->metrics_fd_count; i++) {
        tell_listener(instance->metrics_fds[i], false);
    }
}
