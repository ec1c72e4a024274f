/* Listening sockets: addresses, names, and what is said where one cannot be had. */
#include "mintd/http_server.h"
#include "support/client.h"
#include "unit/unit.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOCKETS 3u

static char directory[] = "/tmp/mintd_test_listen_XXXXXX";

static int set_up(void **state) {
    (void)state;
    return mkdtemp(directory) == NULL;
}

static int tear_down(void **state) {
    (void)state;
    return rmdir(directory);
}

struct opened {
    int fds[SOCKETS * HTTP_ADDRESSES_MAX];
    unsigned addresses;
    enum http_listened listened;
    char message_text[512];
    struct buffer message;
    bool ok;
};

static void open_sockets(struct opened *o, const char *address, unsigned count) {
    o->message = buffer_of(o->message_text, sizeof o->message_text - 1);
    struct http_sockets sockets = {.count = count, .fds = o->fds};
    o->listened = http_listen(slice_of_string(address), &sockets, &o->message);
    o->addresses = sockets.addresses;
    o->ok = o->listened == HTTP_LISTENS;
    o->message_text[o->message.size] = '\0';
    assert_int_equal(o->ok, o->message.size == 0);
}

static void close_sockets(struct opened *o, unsigned count) {
    for (unsigned i = 0; i < count * o->addresses; i++) {
        assert_int_equal(close(o->fds[i]), 0);
    }
}

static const char *name_of(int fd) {
    static char text[HTTP_ADDRESS_MAX];
    struct buffer name = buffer_of(text, sizeof text - 1);
    http_listener_name(fd, &name);
    text[name.size] = '\0';
    return text;
}

static void path_in_directory(char *out, size_t size, const char *file) {
    snprintf(out, size, "unix:%s/%s", directory, file);
}

static void expect_refusal(const char *address, const char *text) {
    struct opened o;
    open_sockets(&o, address, 1);
    assert_false(o.ok);
    if (strstr(o.message_text, text) == NULL || strstr(o.message_text, address) == NULL) {
        fail_msg("%s: %s", address, o.message_text);
    }
    assert_null(strchr(o.message_text, '\n'));
}

/* ---- addresses ---- */

static void test_addresses(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool valid, local, everywhere;
    } cases[] = {
        {"127.0.0.1:4001", true, true, false},
        {"127.9.9.9:4001", true, true, false},
        {"localhost:4001", true, true, false},
        {"[::1]:4001", true, true, false},
        {"unix:/run/mintd.sock", true, true, false},
        {"localhost.:4001", true, true, false},
        {"0.0.0.0:4001", true, false, true},
        {"[::]:4001", true, false, true},
        {"[0:0:0:0:0:0:0:0]:4001", true, false, true},
        {":4001", true, false, true},
        {"192.0.2.1:80", true, false, false},
        {"mint.example:65535", true, false, false},
        {"h:0", true, false, false},
        {"", false, false, false},
        {"4001", false, false, false},
        {"h:", false, false, false},
        {"h:x", false, false, false},
        {"h:65536", false, false, false},
        {"h:-1", false, false, false},
        {"h: 1", false, false, false},
        {"::1:4001", false, false, false},
        {"[h]:1", false, false, false},
        {"[::1:1", false, false, false},
        {"[]:1", false, false, false},
        {"unix:", false, false, false},
        {"unix:/123456789012345678901234567890123456789012345678901234567890"
         "12345678901234567890123456789012345678901234567",
         false, false, false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[256];
        struct buffer error = buffer_of(text, sizeof text);
        struct slice address = slice_of_string(cases[i].text);
        if (http_address_is_valid(address, &error) != cases[i].valid ||
            http_address_is_local(address) != cases[i].local ||
            http_address_is_everywhere(address) != cases[i].everywhere ||
            (error.size == 0) != cases[i].valid) {
            fail_msg("%s: %.*s", cases[i].text, (int)error.size, text);
        }
    }
}

/* ---- TCP ---- */

static void test_all_sockets_share_one_port(void **state) {
    (void)state;
    struct opened o;
    open_sockets(&o, "127.0.0.1:0", SOCKETS);
    assert_true(o.ok);
    char first[HTTP_ADDRESS_MAX];
    snprintf(first, sizeof first, "%s", name_of(o.fds[0]));
    assert_memory_equal(first, "127.0.0.1:", 10);
    assert_int_not_equal(atoi(first + 10), 0);
    for (unsigned i = 0; i < SOCKETS; i++) {
        assert_string_equal(name_of(o.fds[i]), first);
    }
    close_sockets(&o, SOCKETS);
}

/* Each socket gets some of many connections, and what it accepts has TCP_NODELAY. */
static void test_sockets_take_turns(void **state) {
    (void)state;
    struct opened o;
    struct client clients[64];
    unsigned accepted[SOCKETS] = {0}, all = 0;
    open_sockets(&o, "127.0.0.1:0", SOCKETS);
    const char *name = name_of(o.fds[0]);
    for (unsigned i = 0; i < COUNT_OF(clients); i++) {
        client_connect(&clients[i], slice_of_string(name));
    }
    while (all < COUNT_OF(clients)) {
        struct pollfd polls[SOCKETS];
        for (unsigned i = 0; i < SOCKETS; i++) {
            polls[i] = (struct pollfd){.fd = o.fds[i], .events = POLLIN};
        }
        assert_true(poll(polls, SOCKETS, 5000) > 0);
        for (unsigned i = 0; i < SOCKETS; i++) {
            int fd = accept(o.fds[i], NULL, NULL);
            if (fd < 0) {
                continue;
            }
            int no_delay = 0;
            socklen_t size = sizeof no_delay;
            assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, &size), 0);
            assert_int_equal(no_delay, 1);
            close(fd);
            accepted[i]++;
            all++;
        }
    }
    for (unsigned i = 0; i < SOCKETS; i++) {
        assert_true(accepted[i] > 0);
    }
    for (unsigned i = 0; i < COUNT_OF(clients); i++) {
        client_close(&clients[i]);
    }
    close_sockets(&o, SOCKETS);
}

/* Also where the other one would share the port. */
static void test_a_port_in_use(void **state) {
    (void)state;
    for (unsigned count = 1; count <= SOCKETS; count++) {
        struct opened first;
        open_sockets(&first, "127.0.0.1:0", count);
        assert_true(first.ok);
        char address[HTTP_ADDRESS_MAX];
        snprintf(address, sizeof address, "%s", name_of(first.fds[0]));
        expect_refusal(address, "already in use: stop the other program, or choose another port");
        close_sockets(&first, count);
        struct opened again;
        open_sockets(&again, address, count);
        assert_true(again.ok);
        close_sockets(&again, count);
    }
}

static void test_addresses_that_cannot_be_had(void **state) {
    (void)state;
    expect_refusal("192.0.2.1:0", "no such address");
    struct opened o;
    open_sockets(&o, "192.0.2.1:0", 1);
    assert_int_equal(o.listened, HTTP_HAS_NO_SUCH_ADDRESS);
    expect_refusal("no-such-name.invalid:0", "");
    expect_refusal("nonsense", "write host:port");
}

/* N-21: all of its addresses, on one port, each with a socket for each worker; and no resolver is
 * asked for this one. */
static void test_a_name_with_several_addresses(void **state) {
    (void)state;
    static const char *const names[] = {"localhost:0", "LocalHost:0", "localhost.:0",
                                        "mintd.localhost:0"};
    for (size_t n = 0; n < COUNT_OF(names); n++) {
        struct opened o;
        open_sockets(&o, names[n], SOCKETS);
        assert_true(o.ok);
        assert_in_range(o.addresses, 1, 2); /* there are machines without IPv6 */
        const char *port = strrchr(name_of(o.fds[0]), ':');
        for (unsigned i = 0; i < o.addresses * SOCKETS; i++) {
            char expected[HTTP_ADDRESS_MAX];
            snprintf(expected, sizeof expected, "%s:%d", i < SOCKETS ? "127.0.0.1" : "[::1]",
                     atoi(port + 1));
            assert_string_equal(name_of(o.fds[i]), expected);
            port = strrchr(name_of(o.fds[0]), ':');
        }
        close_sockets(&o, SOCKETS);
    }
}

/* Nothing stays open where one of them is taken, and the message says which. */
static void test_a_name_of_which_one_address_is_taken(void **state) {
    (void)state;
    struct opened taken, o;
    open_sockets(&taken, "[::1]:0", 1);
    if (!taken.ok) {
        skip(); /* no IPv6 */
    }
    char name[HTTP_ADDRESS_MAX], address[HTTP_ADDRESS_MAX];
    const char *port = strrchr(strcpy(name, name_of(taken.fds[0])), ':');
    snprintf(address, sizeof address, "localhost%s", port);
    expect_refusal(address, name);
    expect_refusal(address, "already in use");
    snprintf(address, sizeof address, "127.0.0.1%s", port);
    open_sockets(&o, address, 1);
    assert_true(o.ok);
    close_sockets(&o, 1);
    close_sockets(&taken, 1);
}

static void test_other_forms(void **state) {
    (void)state;
    struct opened o;
    open_sockets(&o, ":0", SOCKETS);
    assert_true(o.ok);
    assert_true(strncmp(name_of(o.fds[0]), "[::]:", 5) == 0 ||
                strncmp(name_of(o.fds[0]), "0.0.0.0:", 8) == 0);
    assert_true(http_address_is_valid(slice_of_string(name_of(o.fds[0])), &o.message));
    close_sockets(&o, SOCKETS);
}

/* ---- unix ---- */

static void expect_reachable(const char *address) {
    struct client client;
    client_connect(&client, slice_of_string(address));
    client_close(&client);
}

static void test_a_unix_socket(void **state) {
    (void)state;
    char address[128];
    struct opened o;
    struct stat status;
    path_in_directory(address, sizeof address, "socket");
    mode_t mask = umask(0027);
    open_sockets(&o, address, SOCKETS);
    umask(mask);
    assert_true(o.ok);
    for (unsigned i = 0; i < SOCKETS; i++) {
        assert_string_equal(name_of(o.fds[i]), address);
    }
    assert_int_equal(stat(address + 5, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640);
    expect_reachable(address);
    expect_refusal(address, "already in use");
    close_sockets(&o, SOCKETS);

    /* The file is there still, and nobody answers on it: it is replaced. */
    assert_int_equal(stat(address + 5, &status), 0);
    open_sockets(&o, address, 1);
    assert_true(o.ok);
    expect_reachable(address);
    close_sockets(&o, 1);
    http_unlisten(slice_of_string(address));
    assert_int_not_equal(stat(address + 5, &status), 0);
    http_unlisten(slice_of_string(address));
    http_unlisten(S("127.0.0.1:1"));
}

static void test_files_are_kept(void **state) {
    (void)state;
    char address[128];
    path_in_directory(address, sizeof address, "file");
    FILE *file = fopen(address + 5, "w");
    assert_non_null(file);
    fclose(file);
    expect_refusal(address, "no socket");
    assert_int_equal(unlink(address + 5), 0);
    path_in_directory(address, sizeof address, "missing/socket");
    expect_refusal(address, "directory does not exist");
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_all_sockets_share_one_port),
        cmocka_unit_test(test_sockets_take_turns),
        cmocka_unit_test(test_a_port_in_use),
        cmocka_unit_test(test_addresses_that_cannot_be_had),
        cmocka_unit_test(test_a_name_with_several_addresses),
        cmocka_unit_test(test_a_name_of_which_one_address_is_taken),
        cmocka_unit_test(test_other_forms),
        cmocka_unit_test(test_a_unix_socket),
        cmocka_unit_test(test_files_are_kept),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
