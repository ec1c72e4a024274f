/* A link over TLS, before a server that does what no server should: RT-1 serves over each version,
 * RT-2 tells nothing to who is not believed, RT-3 the name that is set, RT-4 who we are, RT-5 new
 * files, RT-6 connections that are cut, RT-7 bytes in pieces, RT-8 another key or handshake, RT-9
 * ports without TLS, RT-10 names with several addresses. */
#include "mintd/clock.h"
#include "mintd/log.h"
#include "mintd/redis_tls.h"
#include "support/authority.h"
#include "support/caught_log.h"
#include "support/fake_world.h"
#include "support/tls_front.h"
#include "unit/unit.h"
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HOUR 3600L
#define SOON_MS 5000u

static struct authority ours, theirs;
static struct issued right;

struct world {
    struct fake_world *fake;
    struct tls_front front;
    struct redis_store_options options;
};

static int open_world(void **state) {
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    fake_world_open((void **)&world->fake);
    front_open(&world->front, &world->fake->loop.loop, world->fake->fake.path);
    front_show(&world->front, &right, 0);
    world->options = fake_world_options(world->fake);
    world->options.url = (struct redis_url){.port = world->front.port, .is_tls = true};
    snprintf(world->options.url.host, sizeof world->options.url.host, "127.0.0.1");
    *state = world;
    return 0;
}

static int close_world(void **state) {
    struct world *world = *state;
    front_close(&world->front);
    fake_world_close((void **)&world->fake);
    free(world);
    return 0;
}

static struct world *fresh(void **state) {
    close_world(state);
    open_world(state);
    return *state;
}

static struct tls_context *read_settings(const struct redis_tls_settings *settings) {
    char text[256];
    struct buffer error = buffer_of(text, sizeof text);
    struct tls_context *tls = redis_tls_read(settings, &error, NULL);
    assert_non_null(tls);
    return tls;
}

static void start_with(struct world *world, const struct redis_tls_settings *settings) {
    world->options.tls = read_settings(settings);
    world->options.tls_name = settings->name;
    uv_update_time(&world->fake->loop.loop); /* reading files may take long */
    fake_world_start(world->fake, &world->options);
    tls_context_free(world->options.tls);
}

static void start(struct world *world) {
    start_with(world, &(struct redis_tls_settings){.ca = slice_of_string(ours.file)});
}

static void assert_serves(struct world *world) {
    store_call_get(world->fake->call, S("k"));
    assert_int_equal(store_call_wait(world->fake->call), STORE_FOUND);
}

static const struct fake_line with_values[] = {{"GET", SLICE("$1\r\nv\r\n")}, {NULL, SLICE("")}};

static void start_and_serve(struct world *world) {
    world->fake->fake.script = with_values;
    start(world);
    fake_world_wait_until_up(world->fake);
    assert_serves(world);
}

static void assert_trouble(struct world *world, enum store_trouble trouble, const char *words) {
    assert_true(store_wait_for(&world->fake->loop, world->fake->store, trouble, SOON_MS));
    const char *reason = redis_store_reason(world->fake->store);
    if (strstr(reason, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", reason, words);
    }
}

/* ---- whom it believes ---- */

static void test_RT_1_serves_over_each_version(void **state) {
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    static const char *const names[] = {"TLSv1.2", "TLSv1.3"};
    for (size_t i = 0; i < COUNT_OF(versions); i++) {
        struct world *world = fresh(state);
        struct tls_client_view view;
        front_show(&world->front, &right, versions[i]);
        start_and_serve(world);
        assert_true(redis_store_look_at_tls(world->fake->store, 0, &view));
        assert_string_equal(view.version, names[i]);
        assert_true(view.seconds_left > 0 && view.seconds_left <= HOUR);
        assert_in_range(view.expires_s, time(NULL), time(NULL) + HOUR);
        assert_string_equal(world->front.sni, ""); /* an address is no name */
    }
}

static void test_RT_2_who_is_not_believed_is_told_nothing(void **state) {
    static const struct {
        const char *names;
        long from_s, until_s;
        bool is_ours;
        int version;
        enum store_trouble trouble;
        const char *words;
    } table[] = {
        {"DNS:other.example", -HOUR, HOUR, true, 0, STORE_TROUBLE_TLS_NAME,
         "not for the name 127.0.0.1, but for other.example: see --redis-tls-name"},
        {"DNS:127.0.0.1", -HOUR, HOUR, true, 0, STORE_TROUBLE_TLS_NAME, "not for the name"},
        {"IP:127.0.0.1", -HOUR, HOUR, false, 0, STORE_TROUBLE_TLS_CHAIN, "check --redis-ca"},
        {"IP:127.0.0.1", -2 * HOUR, -HOUR, true, 0, STORE_TROUBLE_TLS_EXPIRED, "has expired"},
        {"IP:127.0.0.1", HOUR, 2 * HOUR, true, 0, STORE_TROUBLE_TLS_EXPIRED, "not yet valid"},
        {"IP:127.0.0.1", -HOUR, HOUR, true, TLS1_1_VERSION, STORE_TROUBLE_TLS_VERSION,
         "neither TLS 1.2 nor TLS 1.3"},
        {"DNS:other.example", -HOUR, HOUR, true, TLS1_2_VERSION, STORE_TROUBLE_TLS_NAME, "name"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct world *world = fresh(state);
        struct issued issued;
        authority_issue(table[i].is_ours ? &ours : &theirs, table[i].names, table[i].from_s,
                        table[i].until_s, &issued);
        front_show(&world->front, &issued, table[i].version);
        snprintf(world->options.url.password, sizeof world->options.url.password, "secret-1");
        caught_log_start(LOG_INFO);
        start(world);
        assert_trouble(world, table[i].trouble, table[i].words);
        store_call_get(world->fake->call, S("k"));
        assert_unknown(world->fake->call, table[i].trouble);
        assert_true(counter_read(&world->fake->metrics.troubles[table[i].trouble]) == 1);
        assert_int_equal(world->front.heard, 0);
        assert_int_equal(world->fake->fake.commands, 0);
        front_show(&world->front, &right, 0); /* mended, without a restart */
        fake_world_wait_until_up(world->fake);
        const char *log = caught_log_end();
        assert_int_equal(caught_log_count(log, store_trouble_name(table[i].trouble)), 1);
        assert_null(strstr(log, "secret-1"));
    }
}

static void test_RT_3_the_name_that_is_set_counts(void **state) {
    struct redis_tls_settings settings = {.ca = slice_of_string(ours.file),
                                          .name = S("redis.example")};
    struct world *world = *state;
    struct issued named;
    start_with(world, &settings);
    assert_trouble(world, STORE_TROUBLE_TLS_NAME, "redis.example");
    authority_issue(&ours, "DNS:redis.example", -HOUR, HOUR, &named);
    front_show(&world->front, &named, 0);
    fake_world_wait_until_up(world->fake);
    assert_string_equal(world->front.sni, "redis.example");
}

static void test_never_in_the_clear(void **state) {
    struct world *world = *state;
    assert_null(redis_store_new(&world->fake->loop.loop, &world->options));
}

static void test_insecure_takes_anybody(void **state) {
    struct world *world = *state;
    struct issued issued;
    authority_issue(&theirs, "DNS:other.example", -2 * HOUR, -HOUR, &issued);
    front_show(&world->front, &issued, 0);
    start_with(world, &(struct redis_tls_settings){.believes_all = true});
    fake_world_wait_until_up(world->fake);
}

static void test_RT_4_who_we_are(void **state) {
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    struct redis_tls_settings settings = {.ca = slice_of_string(ours.file)};
    for (size_t i = 0; i < COUNT_OF(versions); i++) {
        struct world *world = fresh(state);
        front_show(&world->front, &right, versions[i]);
        front_ask_for_certificates(&world->front, &ours);
        start(world);
        assert_trouble(world, STORE_TROUBLE_TLS_REFUSED, "--redis-cert and --redis-key");
        settings.certificate = slice_of_string(right.file);
        settings.key = slice_of_string(right.key_file);
        redis_store_use_tls(world->fake->store, read_settings(&settings));
        fake_world_wait_until_up(world->fake);
    }
}

/* ---- new files ---- */

static bool has_accepted(void *context) {
    const struct world *world = context;
    return world->front.accepted >= 1;
}

static bool has_accepted_again(void *context) {
    const struct world *world = context;
    return world->front.greeted >= 2;
}

static void test_RT_5_new_files_are_for_the_next_handshake(void **state) {
    struct world *world = *state;
    const struct redis_tls_settings other = {.ca = slice_of_string(theirs.file)};
    struct issued issued;
    start_and_serve(world);
    redis_store_use_tls(world->fake->store, read_settings(&other));
    assert_serves(world);
    assert_int_equal(world->front.accepted, 1); /* the link goes on */
    authority_issue(&theirs, "IP:127.0.0.1", -HOUR, HOUR, &issued);
    front_show(&world->front, &issued, 0);
    front_drop(&world->front);
    assert_true(test_loop_run_until(&world->fake->loop, has_accepted_again, world, SOON_MS));
    fake_world_wait_until_up(world->fake);
    assert_serves(world);
}

/* ---- a connection that ends ---- */

/* At each byte of the server's side of the handshake, by sevens. */
static void test_RT_6_cut_in_the_handshake(void **state) {
    for (size_t at = 1; at < 600; at += 7 * 13) {
        struct world *world = fresh(state);
        world->front.cut_after = at;
        start(world);
        assert_trouble(world, STORE_TROUBLE_TLS_CUT, "in the TLS handshake");
        world->front.cut_after = 0;
        fake_world_wait_until_up(world->fake);
    }
}

static void test_RT_6_cut_amid_a_reply(void **state) {
    struct world *world = *state;
    start_and_serve(world);
    caught_log_start(LOG_INFO);
    world->fake->fake.drop_command = "GET";
    world->fake->fake.drop_after = 3;
    world->front.cuts = true;
    store_call_get(world->fake->call, S("k"));
    assert_unknown(world->fake->call, STORE_TROUBLE_DISCONNECTED);
    assert_int_equal(store_trouble_now(world->fake->store), STORE_TROUBLE_TLS_CUT);
    world->fake->fake.drop_command = NULL;
    fake_world_wait_until_up(world->fake);
    assert_serves(world);
    assert_int_equal(caught_log_count(caught_log_end(), "tls_cut"), 1);
}

static void test_close_notify_amid_a_reply(void **state) {
    struct world *world = *state;
    start_and_serve(world);
    world->fake->fake.drop_command = "GET";
    world->fake->fake.drop_after = 3;
    store_call_get(world->fake->call, S("k"));
    assert_unknown(world->fake->call, STORE_TROUBLE_DISCONNECTED);
    assert_trouble(world, STORE_TROUBLE_DISCONNECTED, "it closed the connection");
    world->fake->fake.drop_command = NULL;
    fake_world_wait_until_up(world->fake);
    assert_serves(world);
}

/* A proxy that hangs up at HELLO does so over TLS too. */
static void test_hangs_up_at_hello(void **state) {
    struct world *world = *state;
    world->fake->fake.drop_command = "HELLO";
    start(world);
    fake_world_wait_until_up(world->fake);
    assert_int_equal(world->fake->fake.accepted, 3);
}

/* ---- how bytes come ---- */

static void test_RT_7_one_byte_a_record_or_a_segment(void **state) {
    for (unsigned way = 0; way < 3; way++) {
        struct world *world = fresh(state);
        world->front.bytewise_records = way != 1;
        world->front.bytewise_segments = way != 0;
        start_and_serve(world);
        assert_slice(world->fake->call->value, S("v"));
    }
}

static char huge[STORE_VALUE_MAX + 4096];

static void test_a_reply_of_many_records(void **state) {
    struct world *world = *state;
    static char reply[sizeof huge + 64];
    int head = snprintf(reply, sizeof reply, "$%u\r\n", STORE_VALUE_MAX);
    memset(reply + head, 'x', STORE_VALUE_MAX);
    memcpy(reply + head + STORE_VALUE_MAX, "\r\n", 2);
    const struct fake_line script[] = {{"GET", slice_of(reply, (size_t)head + STORE_VALUE_MAX + 2)},
                                       {NULL, SLICE("")}};
    world->fake->fake.script = script;
    start(world);
    fake_world_wait_until_up(world->fake);
    assert_serves(world);
    assert_int_equal(world->fake->call->value.size, STORE_VALUE_MAX);
}

ssize_t __real_send(int fd, const void *data, size_t size, int flags);
ssize_t __wrap_send(int fd, const void *data, size_t size, int flags);

static size_t takes_at_once; /* of a socket; 0: as it is */

ssize_t __wrap_send(int fd, const void *data, size_t size, int flags) {
    bool is_full = takes_at_once != 0 && size > takes_at_once;
    return __real_send(fd, data, is_full ? takes_at_once : size, flags);
}

/* The rest of the records goes once the socket takes it, of the handshake too. */
static void test_a_socket_that_takes_one_byte(void **state) {
    struct world *world = *state;
    memset(huge, 'y', sizeof huge);
    takes_at_once = 1;
    start_and_serve(world);
    store_call_set(world->fake->call, S("k"), slice_of(huge, STORE_VALUE_MAX), 60);
    assert_int_equal(store_call_wait(world->fake->call), STORE_FOUND);
    assert_int_equal(world->front.accepted, 1);
    takes_at_once = 0;
}

static void test_a_server_that_reads_late(void **state) {
    enum { CALLS = 12 };
    struct world *world = *state;
    struct store_call *calls[CALLS];
    memset(huge, 'y', sizeof huge);
    world->options.timeout_ms = 10000;
    start_and_serve(world);
    front_stop_hearing(&world->front);
    for (unsigned i = 0; i < CALLS; i++) {
        calls[i] = store_call_new(&world->fake->loop, world->fake->store);
        store_call_set(calls[i], S("k"), slice_of(huge, STORE_VALUE_MAX), 60);
        uv_run(&world->fake->loop.loop, UV_RUN_NOWAIT);
    }
    assert_false(store_call_has_ended(calls[CALLS - 1]));
    front_hear(&world->front);
    for (unsigned i = 0; i < CALLS; i++) {
        assert_int_equal(store_call_wait(calls[i]), STORE_FOUND);
        store_call_free(calls[i]);
    }
    assert_true(world->front.heard > CALLS * STORE_VALUE_MAX);
}

static void test_RT_8_another_key_is_asked_for(void **state) {
    struct world *world = *state;
    front_show(&world->front, &right, TLS1_3_VERSION);
    start_and_serve(world);
    for (unsigned times = 0; times < 5; times++) {
        front_rekey(&world->front);
        assert_serves(world);
    }
    assert_int_equal(world->front.accepted, 1);
}

/* It is refused; what the server makes of that is its own matter (this one ends the connection). */
static void test_RT_8_a_renegotiation_is_asked_for(void **state) {
    struct world *world = *state;
    front_show(&world->front, &right, TLS1_2_VERSION);
    start_and_serve(world);
    front_rekey(&world->front);
    assert_true(test_loop_run_until(&world->fake->loop, has_accepted_again, world, SOON_MS));
    fake_world_wait_until_up(world->fake);
    assert_serves(world);
}

/* An alert in place of an answer, as a server's TLS or a proxy before it may give it. */
static void test_alerts_in_the_handshake(void **state) {
    static const struct {
        struct slice alert;
        enum store_trouble trouble;
        const char *words;
    } table[] = {
        {SLICE("\x15\x03\x03\x00\x02\x01\x00"), STORE_TROUBLE_TLS_CUT,
         "handshake"}, /* close_notify */
        {SLICE("\x15\x03\x03\x00\x02\x02\x28"), STORE_TROUBLE_TLS_REFUSED, "--redis-cert"},
        {SLICE("\x15\x03\x03\x00\x02\x02\x46"), STORE_TROUBLE_TLS_VERSION, "TLS 1.2"},
        {SLICE("\x15\x03\x03\x00\x02\x02\x70"), STORE_TROUBLE_TLS_NAME,
         "--redis-tls-name"}, /* unrecognized */
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct world *world = fresh(state);
        world->front.plain_words = table[i].alert;
        start(world);
        assert_trouble(world, table[i].trouble, table[i].words);
    }
}

static void test_a_name_that_is_long_is_cut(void **state) {
    struct world *world = *state;
    char name[250];
    memset(name, 'a', sizeof name);
    start_with(world, &(struct redis_tls_settings){.ca = slice_of_string(ours.file),
                                                   .name = slice_of(name, sizeof name)});
    assert_trouble(world, STORE_TROUBLE_TLS_NAME, "aaa, but for localhost 127.0.0.1: see --redis");
}

/* ---- not TLS ---- */

static void test_RT_9_a_port_that_is_not_for_tls_is_named(void **state) {
    static const struct {
        struct slice words;
        const char *named;
    } table[] = {
        {SLICE("-ERR Protocol error: unbalanced quotes in request\r\n"), "write redis://"},
        {SLICE("-NOAUTH Authentication required.\r\n"), "write redis://"},
        {SLICE("HTTP/1.1 400 Bad Request\r\n\r\n"), "speaks HTTP"},
        {SLICE("SSH-2.0-OpenSSH_9.2p1\r\n"), "speaks SSH"},
    };
    for (size_t i = 0; i < 2 * COUNT_OF(table); i++) {
        struct world *world = fresh(state);
        world->front.plain_words = table[i / 2].words;
        world->front.bytewise_segments = i % 2 == 1;
        start(world);
        assert_trouble(world, STORE_TROUBLE_PROTOCOL, table[i / 2].named);
    }
}

static bool store_has_reason(void *store) {
    return *redis_store_reason(store) != '\0';
}

static void test_a_server_that_never_answers_the_handshake(void **state) {
    struct world *world = *state;
    uint64_t begun_ns = clock_monotonic_ns();
    world->front.is_mute = true;
    start(world);
    assert_true(
        test_loop_run_until(&world->fake->loop, store_has_reason, world->fake->store, SOON_MS));
    assert_true(ms_since(begun_ns) >= 1900);
    assert_trouble(world, STORE_TROUBLE_DISCONNECTED, "does not answer the TLS handshake");
    world->front.is_mute = false;
    fake_world_wait_until_up(world->fake);
}

static void test_a_record_that_is_none(void **state) {
    struct world *world = *state;
    start_and_serve(world);
    front_say_plain(&world->front, S("+OK\r\n+OK\r\n"));
    assert_trouble(world, STORE_TROUBLE_PROTOCOL, "TLS: ");
    fake_world_wait_until_up(world->fake);
    assert_serves(world);
}

/* ---- a name with several addresses ---- */

int __real_uv_getaddrinfo(uv_loop_t *loop, uv_getaddrinfo_t *request, uv_getaddrinfo_cb on_done,
                          const char *node, const char *service, const struct addrinfo *hints);
void __real_uv_freeaddrinfo(struct addrinfo *list);
int __wrap_uv_getaddrinfo(uv_loop_t *loop, uv_getaddrinfo_t *request, uv_getaddrinfo_cb on_done,
                          const char *node, const char *service, const struct addrinfo *hints);
void __wrap_uv_freeaddrinfo(struct addrinfo *list);

/* What redis.example resolves to. */
static struct {
    struct addrinfo list[3];
    struct sockaddr_in addresses[3];
    uv_getaddrinfo_cb on_done;
    unsigned asked;
} names;

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list) {
    __real_uv_freeaddrinfo(list);
    names.on_done(request, status, names.list);
}

int __wrap_uv_getaddrinfo(uv_loop_t *loop, uv_getaddrinfo_t *request, uv_getaddrinfo_cb on_done,
                          const char *node, const char *service, const struct addrinfo *hints) {
    if (strcmp(node, "redis.example") != 0) {
        return __real_uv_getaddrinfo(loop, request, on_done, node, service, hints);
    }
    names.on_done = on_done;
    names.asked++;
    return __real_uv_getaddrinfo(loop, request, on_resolved, "127.0.0.1", service, hints);
}

void __wrap_uv_freeaddrinfo(struct addrinfo *list) {
    if (list != names.list) {
        __real_uv_freeaddrinfo(list);
    }
}

static void resolve_to(const struct sockaddr_in *addresses, unsigned count) {
    memset(&names, 0, sizeof names);
    for (unsigned i = 0; i < count; i++) {
        names.addresses[i] = addresses[i];
        names.list[i] = (struct addrinfo){
            .ai_family = AF_INET,
            .ai_addr = (struct sockaddr *)&names.addresses[i],
            .ai_addrlen = sizeof names.addresses[i],
            .ai_next = i + 1 < count ? &names.list[i + 1] : NULL,
        };
    }
}

static struct sockaddr_in address_of(const char *text, unsigned port) {
    struct sockaddr_in address;
    uv_ip4_addr(text, (int)port, &address);
    return address;
}

/* Accepts nobody and refuses nobody: its queue is full. */
struct black_hole {
    int fds[4];
    struct sockaddr_in address;
};

static void dig(struct black_hole *hole) {
    socklen_t size = sizeof hole->address;
    hole->address = address_of("127.0.0.1", 0);
    for (unsigned i = 0; i < COUNT_OF(hole->fds); i++) {
        hole->fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_true(hole->fds[i] >= 0);
    }
    assert_int_equal(bind(hole->fds[0], (struct sockaddr *)&hole->address, size), 0);
    assert_int_equal(listen(hole->fds[0], 0), 0);
    assert_int_equal(getsockname(hole->fds[0], (struct sockaddr *)&hole->address, &size), 0);
    for (unsigned i = 1; i < COUNT_OF(hole->fds); i++) {
        connect(hole->fds[i], (struct sockaddr *)&hole->address, size);
    }
}

static void fill_in(struct black_hole *hole) {
    for (unsigned i = 0; i < COUNT_OF(hole->fds); i++) {
        close(hole->fds[i]);
    }
}

static void name_it(struct world *world, const char *names_of_certificate) {
    struct issued issued;
    authority_issue(&ours, names_of_certificate, -HOUR, HOUR, &issued);
    front_show(&world->front, &issued, 0);
    snprintf(world->options.url.host, sizeof world->options.url.host, "redis.example");
}

/* One that refuses, one that says nothing, one that is right: in one attempt. */
static void test_RT_10_every_address_is_tried_in_one_attempt(void **state) {
    for (unsigned is_plain = 0; is_plain < 2; is_plain++) {
        struct world *world = fresh(state);
        struct black_hole hole;
        uint64_t begun_ns = clock_monotonic_ns();
        dig(&hole);
        const struct sockaddr_in addresses[] = {address_of("127.0.0.1", 1), hole.address,
                                                address_of("127.0.0.1", world->front.port)};
        resolve_to(addresses, COUNT_OF(addresses));
        name_it(world, "DNS:redis.example");
        if (is_plain) {
            tls_context_free(world->front.tls);
            world->front.tls = NULL;
            world->options.url.is_tls = false;
            fake_world_start(world->fake, &world->options);
        } else {
            start(world);
        }
        assert_true(test_loop_run_until(&world->fake->loop, has_accepted, world, SOON_MS));
        assert_int_equal(names.asked, 1);
        assert_true(ms_since(begun_ns) >= 900); /* half of what there is went to the second */
        fake_world_wait_until_up(world->fake);
        fill_in(&hole);
    }
}

/* The first address that works is the first that is tried after a loss. */
static void test_the_address_that_works_is_kept(void **state) {
    struct world *world = *state;
    struct black_hole hole;
    dig(&hole);
    const struct sockaddr_in addresses[] = {hole.address,
                                            address_of("127.0.0.1", world->front.port)};
    resolve_to(addresses, COUNT_OF(addresses));
    name_it(world, "DNS:redis.example");
    start(world);
    fake_world_wait_until_up(world->fake);
    uint64_t begun_ns = clock_monotonic_ns();
    front_drop(&world->front);
    assert_true(test_loop_run_until(&world->fake->loop, has_accepted_again, world, SOON_MS));
    assert_true(ms_since(begun_ns) < stretched_ms(900));
    fill_in(&hole);
}

/* What is told is what says most: a name that is wrong, and not that another address refuses. */
static void test_RT_10_the_telling_reason_is_told(void **state) {
    struct world *world = *state;
    const struct sockaddr_in addresses[] = {address_of("127.0.0.1", 1),
                                            address_of("127.0.0.1", world->front.port),
                                            address_of("127.0.0.1", 1)};
    resolve_to(addresses, COUNT_OF(addresses));
    name_it(world, "DNS:other.example");
    start(world);
    assert_trouble(world, STORE_TROUBLE_TLS_NAME, "not for the name redis.example");
    assert_string_equal(world->front.sni, "");
    name_it(world, "DNS:redis.example");
    fake_world_wait_until_up(world->fake);
    assert_string_equal(world->front.sni, "redis.example");
}

static void test_every_address_is_late(void **state) {
    struct world *world = *state;
    struct black_hole hole;
    uint64_t begun_ns = clock_monotonic_ns();
    dig(&hole);
    const struct sockaddr_in addresses[] = {hole.address, hole.address, hole.address};
    resolve_to(addresses, COUNT_OF(addresses));
    name_it(world, "DNS:redis.example");
    start(world);
    assert_true(
        test_loop_run_until(&world->fake->loop, store_has_reason, world->fake->store, SOON_MS));
    assert_true(ms_since(begun_ns) >= 1900 && ms_since(begun_ns) < stretched_ms(3000));
    assert_trouble(world, STORE_TROUBLE_DISCONNECTED, "it did not accept in time");
    fill_in(&hole);
}

/* ---- the end, wherever it comes ---- */

static void test_it_closes_at_any_moment(void **state) {
    for (unsigned turns = 0; turns < 12; turns++) {
        struct world *world = fresh(state);
        start(world);
        for (unsigned i = 0; i < turns; i++) {
            uv_run(&world->fake->loop.loop, UV_RUN_NOWAIT);
        }
    }
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_RT_1_serves_over_each_version),
        TEST(test_RT_2_who_is_not_believed_is_told_nothing),
        TEST(test_RT_3_the_name_that_is_set_counts),
        TEST(test_never_in_the_clear),
        TEST(test_insecure_takes_anybody),
        TEST(test_RT_4_who_we_are),
        TEST(test_RT_5_new_files_are_for_the_next_handshake),
        TEST(test_RT_6_cut_in_the_handshake),
        TEST(test_RT_6_cut_amid_a_reply),
        TEST(test_close_notify_amid_a_reply),
        TEST(test_hangs_up_at_hello),
        TEST(test_RT_7_one_byte_a_record_or_a_segment),
        TEST(test_a_reply_of_many_records),
        TEST(test_a_socket_that_takes_one_byte),
        TEST(test_a_server_that_reads_late),
        TEST(test_RT_8_another_key_is_asked_for),
        TEST(test_RT_8_a_renegotiation_is_asked_for),
        TEST(test_alerts_in_the_handshake),
        TEST(test_a_name_that_is_long_is_cut),
        TEST(test_RT_9_a_port_that_is_not_for_tls_is_named),
        TEST(test_a_server_that_never_answers_the_handshake),
        TEST(test_a_record_that_is_none),
        TEST(test_RT_10_every_address_is_tried_in_one_attempt),
        TEST(test_the_address_that_works_is_kept),
        TEST(test_RT_10_the_telling_reason_is_told),
        TEST(test_every_address_is_late),
        TEST(test_it_closes_at_any_moment),
    };
    fake_world_start_log(NULL);
    authority_open(&ours, "ours");
    authority_open(&theirs, "theirs");
    authority_issue(&ours, "DNS:localhost,IP:127.0.0.1", -HOUR, HOUR, &right);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    authority_close(&ours);
    authority_close(&theirs);
    fake_world_stop_log(NULL);
    return failed;
}
