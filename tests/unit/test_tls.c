/* Both sides of a TLS connection, joined in memory. */
#include "mintd/tls_client.h"
#include "support/certificate.h"
#include "unit/unit.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

static struct certificate certificate;

struct joined {
    struct block_pool blocks;
    struct tls_context *contexts[2];
    struct tls_session *sessions[2]; /* by enum tls_side */
};

static struct tls_context *server_context(void) {
    struct tls_context *context = tls_context_new(TLS_SERVER);
    assert_non_null(context);
    SSL_CTX *openssl = tls_context_openssl(context);
    assert_int_equal(SSL_CTX_use_certificate_chain_file(openssl, certificate.file), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(openssl, certificate.key_file, SSL_FILETYPE_PEM),
                     1);
    return context;
}

static void join(struct joined *j, const struct tls_client_options *options, const char *host) {
    char text[256];
    struct buffer error = buffer_of(text, sizeof text);
    memset(j, 0, sizeof *j);
    j->contexts[TLS_SERVER] = server_context();
    j->contexts[TLS_CLIENT] = tls_client_context_new(options, &error);
    for (unsigned side = 0; side < 2; side++) {
        assert_non_null(j->contexts[side]);
        j->sessions[side] = tls_session_new(j->contexts[side], &j->blocks);
        assert_non_null(j->sessions[side]);
    }
    assert_true(tls_client_expect(j->sessions[TLS_CLIENT], host));
}

static void part(struct joined *j) {
    for (unsigned side = 0; side < 2; side++) {
        tls_session_free(j->sessions[side]);
        tls_context_free(j->contexts[side]);
    }
    block_pool_fini(&j->blocks);
    assert_int_equal(ERR_peek_error(), 0);
}

/* What `from` has to send goes to the other side, in pieces; `take` looks at each. The last step.
 */
static enum tls_step carry(struct joined *j, enum tls_side from, size_t piece,
                           enum tls_step (*take)(struct tls_session *session)) {
    struct tls_session *to = j->sessions[1 - from];
    struct block *records = tls_take_output(j->sessions[from]);
    enum tls_step step = TLS_MORE;
    size_t size = records == NULL ? 0 : records->size;
    for (size_t at = 0; at < size && step == TLS_MORE; at += piece) {
        tls_feed(to, records->data + at, size - at < piece ? size - at : piece);
        step = take(to);
    }
    tls_feed(to, NULL, 0);
    block_give(&j->blocks, records);
    return step;
}

/* Until both sides are done, or the client has failed: its last step. */
static enum tls_step shake_hands(struct joined *j, size_t piece) {
    enum tls_step client = tls_handshake(j->sessions[TLS_CLIENT]);
    enum tls_step server = TLS_MORE;
    for (unsigned turn = 0;
         turn < 8 && client != TLS_FAILED && (client == TLS_MORE || server == TLS_MORE); turn++) {
        if (server == TLS_MORE) {
            server = carry(j, TLS_CLIENT, piece, tls_handshake);
        }
        if (client == TLS_MORE) {
            client = carry(j, TLS_SERVER, piece, tls_handshake);
        }
    }
    return client;
}

static char heard[64];
static size_t heard_size;

static enum tls_step hear(struct tls_session *session) {
    enum tls_step step;
    do {
        size_t count;
        step = tls_read(session, heard + heard_size, sizeof heard - heard_size, &count);
        heard_size += count;
    } while (step == TLS_DONE && heard_size < sizeof heard);
    return step;
}

static struct tls_client_options believing(void) {
    return (struct tls_client_options){.ca_file = certificate.file};
}

/* ---- what is believed ---- */

static char sni[64];

static int on_sni(SSL *ssl, int *alert, void *context) {
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    (void)alert, (void)context;
    snprintf(sni, sizeof sni, "%s", name == NULL ? "" : name);
    return SSL_TLSEXT_ERR_OK;
}

static void test_a_name_and_an_address_are_believed(void **state) {
    static const char *const hosts[] = {"localhost", "127.0.0.1"};
    static const char *const told[] = {"localhost", ""}; /* an address is no name */
    const struct tls_client_options options = believing();
    (void)state;
    for (unsigned i = 0; i < COUNT_OF(hosts); i++) {
        struct joined j;
        join(&j, &options, hosts[i]);
        SSL_CTX_set_tlsext_servername_callback(tls_context_openssl(j.contexts[TLS_SERVER]), on_sni);
        assert_int_equal(shake_hands(&j, 4096), TLS_DONE);
        assert_null(tls_client_doubt(j.sessions[TLS_CLIENT]));
        assert_true(tls_client_saw(j.sessions[TLS_CLIENT], certificate.file));
        assert_false(tls_client_saw(j.sessions[TLS_CLIENT], certificate.key_file));
        assert_string_equal(sni, told[i]);
        part(&j);
    }
}

static void assert_doubt(const struct tls_client_options *options, const char *host,
                         const char *words) {
    struct joined j;
    join(&j, options, host);
    assert_int_equal(shake_hands(&j, 4096), TLS_FAILED);
    assert_non_null(tls_client_doubt(j.sessions[TLS_CLIENT]));
    assert_non_null(strstr(tls_client_doubt(j.sessions[TLS_CLIENT]), words));
    assert_true(tls_output_size(j.sessions[TLS_CLIENT]) != 0); /* the server is told */
    assert_int_equal(carry(&j, TLS_CLIENT, 4096, tls_handshake), TLS_FAILED);
    part(&j);
}

static void test_another_name_address_or_chain_is_not(void **state) {
    const struct tls_client_options ours = believing(), system_s = {.ca_file = NULL};
    (void)state;
    assert_doubt(&ours, "elsewhere.example", "ostname mismatch");
    assert_doubt(&ours, "127.0.0.2", "IP address mismatch");
    assert_doubt(&system_s, "localhost", "self");
}

static void test_who_believes_all_has_no_doubt(void **state) {
    const struct tls_client_options all = {.believes_all = true};
    struct joined j;
    (void)state;
    join(&j, &all, "elsewhere.example");
    assert_int_equal(shake_hands(&j, 4096), TLS_DONE);
    assert_null(tls_client_doubt(j.sessions[TLS_CLIENT]));
    part(&j);
}

/* An alert that follows is no doubt about a certificate that was not looked at. */
static void test_no_tls_is_a_failure_and_no_doubt(void **state) {
    const struct tls_client_options options = believing();
    static const char plain[] = "-ERR unknown command\r\n";
    struct joined j;
    (void)state;
    join(&j, &options, "localhost");
    assert_int_equal(tls_handshake(j.sessions[TLS_CLIENT]), TLS_MORE);
    tls_feed(j.sessions[TLS_CLIENT], plain, sizeof plain - 1);
    assert_int_equal(tls_handshake(j.sessions[TLS_CLIENT]), TLS_FAILED);
    assert_true(*tls_problem(j.sessions[TLS_CLIENT]) != '\0');
    part(&j);
}

static void test_ca_file_that_is_none(void **state) {
    const struct tls_client_options options = {.ca_file = "/nowhere/ca.pem"};
    char text[256];
    struct buffer error = buffer_of(text, sizeof text);
    (void)state;
    assert_null(tls_client_context_new(&options, &error));
    assert_slice(buffer_slice(&error),
                 slice_of_string("/nowhere/ca.pem: no certificates in PEM that can be read"));
}

/* ---- records ---- */

static void test_handshake_and_words_in_single_bytes(void **state) {
    const struct tls_client_options options = believing();
    struct joined j;
    (void)state;
    join(&j, &options, "localhost");
    assert_int_equal(shake_hands(&j, 1), TLS_DONE);
    for (unsigned from = 0; from < 2; from++) {
        heard_size = 0;
        assert_true(tls_write(j.sessions[from], "one ", 4));
        assert_true(tls_write(j.sessions[from], "two", 3));
        assert_int_equal(carry(&j, from, 1, hear), TLS_MORE);
        assert_slice(slice_of(heard, heard_size), slice_of_string("one two"));
    }
    part(&j);
}

static void test_an_end_is_told_from_a_cut(void **state) {
    const struct tls_client_options options = believing();
    struct joined j;
    (void)state;
    join(&j, &options, "localhost");
    assert_int_equal(shake_hands(&j, 4096), TLS_DONE);
    heard_size = 0;
    assert_true(tls_write(j.sessions[TLS_SERVER], "half", 4));
    assert_int_equal(carry(&j, TLS_SERVER, 4096, hear), TLS_MORE);
    assert_false(tls_has_unread(j.sessions[TLS_CLIENT]));
    tls_end(j.sessions[TLS_SERVER]);
    assert_int_equal(carry(&j, TLS_SERVER, 4096, hear), TLS_ENDED);
    assert_slice(slice_of(heard, heard_size), slice_of_string("half"));
    part(&j);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_name_and_an_address_are_believed),
        cmocka_unit_test(test_another_name_address_or_chain_is_not),
        cmocka_unit_test(test_who_believes_all_has_no_doubt),
        cmocka_unit_test(test_no_tls_is_a_failure_and_no_doubt),
        cmocka_unit_test(test_ca_file_that_is_none),
        cmocka_unit_test(test_handshake_and_words_in_single_bytes),
        cmocka_unit_test(test_an_end_is_told_from_a_cut),
    };
    certificate_make(&certificate, "localhost");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    certificate_remove(&certificate);
    return failed;
}
