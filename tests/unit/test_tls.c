/* Both sides of a TLS connection, joined in memory. */
#include "mintd/tls_client.h"
#include "support/authority.h"
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

static struct tls_context *server_context(const char *file, const char *key_file) {
    struct tls_context *context = tls_context_new(TLS_SERVER);
    assert_non_null(context);
    SSL_CTX *openssl = tls_context_openssl(context);
    assert_int_equal(SSL_CTX_use_certificate_chain_file(openssl, file), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(openssl, key_file, SSL_FILETYPE_PEM), 1);
    return context;
}

static void join_with(struct joined *j, const struct tls_client_options *options, const char *host,
                      const char *file, const char *key_file) {
    char text[256];
    struct buffer error = buffer_of(text, sizeof text);
    memset(j, 0, sizeof *j);
    j->contexts[TLS_SERVER] = server_context(file, key_file);
    j->contexts[TLS_CLIENT] = tls_client_context_new(options, &error, NULL);
    for (unsigned side = 0; side < 2; side++) {
        assert_non_null(j->contexts[side]);
        j->sessions[side] = tls_session_new(j->contexts[side], &j->blocks);
        assert_non_null(j->sessions[side]);
    }
    assert_true(tls_client_expect(j->sessions[TLS_CLIENT], host));
}

static void join(struct joined *j, const struct tls_client_options *options, const char *host) {
    join_with(j, options, host, certificate.file, certificate.key_file);
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
    return (struct tls_client_options){.ca = slice_of_string(certificate.file)};
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
    const struct tls_client_options ours = believing(), system_s = {.ca = SLICE_ABSENT};
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
    const struct tls_client_options options = {.ca = SLICE("/nowhere/ca.pem")};
    char text[256];
    struct buffer error = buffer_of(text, sizeof text);
    (void)state;
    assert_null(tls_client_context_new(&options, &error, NULL));
    assert_slice(buffer_slice(&error),
                 slice_of_string("/nowhere/ca.pem: No such file or directory"));
    error.size = 0;
    const struct tls_client_options key = {.ca = slice_of_string(certificate.key_file)};
    assert_null(tls_client_context_new(&key, &error, NULL));
    text[error.size] = '\0';
    assert_non_null(strstr(text, "no certificates in PEM that can be read"));
}

/* ---- what is wrong with a certificate ---- */

static const long hour = 3600;

static void test_faults_of_a_certificate(void **state) {
    static const struct {
        const char *names, *host;
        long from_s, until_s;
        bool is_ours;
        enum tls_fault fault;
    } table[] = {
        {"DNS:redis.example", "redis.example", -hour, hour, true, TLS_FAULT_OTHER},
        {"DNS:redis.example", "REDIS.example.", -hour, hour, true, TLS_FAULT_OTHER},
        {"DNS:*.redis.example", "a.redis.example", -hour, hour, true, TLS_FAULT_OTHER},
        {"IP:127.0.0.1,IP:::1", "::1", -hour, hour, true, TLS_FAULT_OTHER},
        {"DNS:redis.example", "example", -hour, hour, true, TLS_FAULT_NAME},
        {"DNS:r*.redis.example", "r1.redis.example", -hour, hour, true, TLS_FAULT_NAME},
        {"DNS:*.redis.example", "b.a.redis.example", -hour, hour, true, TLS_FAULT_NAME},
        {"DNS:127.0.0.1", "127.0.0.1", -hour, hour, true, TLS_FAULT_NAME},
        {"IP:127.0.0.1", "127.0.0.2", -hour, hour, true, TLS_FAULT_NAME},
        {"DNS:redis.example", "redis.example", -2 * hour, -hour, true, TLS_FAULT_EXPIRED},
        {"DNS:redis.example", "redis.example", hour, 2 * hour, true, TLS_FAULT_EXPIRED},
        {"DNS:redis.example", "redis.example", -hour, hour, false, TLS_FAULT_CHAIN},
    };
    struct authority ours, theirs;
    (void)state;
    authority_open(&ours, "ours");
    authority_open(&theirs, "theirs");
    const struct tls_client_options options = {.ca = slice_of_string(ours.file)};
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        bool is_fine = table[i].fault == TLS_FAULT_OTHER;
        struct issued issued;
        struct joined j;
        authority_issue(table[i].is_ours ? &ours : &theirs, table[i].names, table[i].from_s,
                        table[i].until_s, &issued);
        join_with(&j, &options, table[i].host, issued.file, issued.key_file);
        assert_int_equal(shake_hands(&j, 4096), is_fine ? TLS_DONE : TLS_FAILED);
        assert_int_equal(tls_client_fault(j.sessions[TLS_CLIENT]), table[i].fault);
        part(&j);
    }
    authority_close(&ours);
    authority_close(&theirs);
}

static void test_the_names_of_another_s_certificate(void **state) {
    static const struct {
        const char *names, *told;
    } table[] = {
        {"DNS:redis.example,IP:10.0.0.1,IP:2001:db8::1", "redis.example 10.0.0.1 2001:db8::1"},
        {"DNS:*.redis.example,email:a@b.example", "*.redis.example"},
        {"DNS:a\x1b[2J.example,DNS:b.example", "b.example"},
        {"DNS:a234567890123456789012345678901234567890.example,DNS:b234567890.example,DNS:c."
         "example",
         "a234567890123456789012345678901234567890.example c.example"},
        {"email:a@b.example", ""},
    };
    struct authority ours;
    (void)state;
    authority_open(&ours, "ours");
    const struct tls_client_options options = {.ca = slice_of_string(ours.file)};
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct issued issued;
        struct joined j;
        authority_issue(&ours, table[i].names, -hour, hour, &issued);
        join_with(&j, &options, "elsewhere.example", issued.file, issued.key_file);
        assert_int_equal(shake_hands(&j, 4096), TLS_FAILED);
        assert_string_equal(tls_client_names(j.sessions[TLS_CLIENT]), table[i].told);
        part(&j);
    }
    authority_close(&ours);
}

static void test_fault_of_a_version(void **state) {
    const struct tls_client_options options = believing();
    struct joined j;
    (void)state;
    join(&j, &options, "localhost");
    SSL_CTX *openssl = tls_context_openssl(j.contexts[TLS_SERVER]);
    SSL_CTX_set_min_proto_version(openssl, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(openssl, TLS1_1_VERSION);
    SSL_CTX_set_security_level(openssl, 0);
    tls_session_free(j.sessions[TLS_SERVER]);
    j.sessions[TLS_SERVER] = tls_session_new(j.contexts[TLS_SERVER], &j.blocks);
    assert_int_equal(shake_hands(&j, 4096), TLS_FAILED);
    assert_int_equal(tls_client_fault(j.sessions[TLS_CLIENT]), TLS_FAULT_VERSION);
    part(&j);
}

/* With TLS 1.3 the server says no once the client believes that all is done. */
static void test_a_server_that_wants_a_certificate(void **state) {
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    struct tls_client_options options = believing();
    (void)state;
    for (unsigned i = 0; i < 2 * COUNT_OF(versions); i++) {
        bool has_one = i % 2 == 1;
        struct joined j;
        options.certificate = has_one ? slice_of_string(certificate.file) : SLICE_ABSENT;
        options.key = has_one ? slice_of_string(certificate.key_file) : SLICE_ABSENT;
        join(&j, &options, "localhost");
        SSL_CTX *openssl = tls_context_openssl(j.contexts[TLS_SERVER]);
        SSL_CTX_set_max_proto_version(openssl, versions[i / 2]);
        SSL_CTX_set_verify(openssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        assert_int_equal(SSL_CTX_load_verify_file(openssl, certificate.file), 1);
        tls_session_free(j.sessions[TLS_SERVER]);
        j.sessions[TLS_SERVER] = tls_session_new(j.contexts[TLS_SERVER], &j.blocks);
        enum tls_step step = shake_hands(&j, 4096);
        if (step == TLS_DONE) {
            carry(&j, TLS_CLIENT, 4096, tls_handshake);
            step = carry(&j, TLS_SERVER, 4096, hear);
        }
        assert_int_equal(step, has_one ? TLS_MORE : TLS_FAILED);
        assert_int_equal(tls_client_fault(j.sessions[TLS_CLIENT]),
                         has_one ? TLS_FAULT_OTHER : TLS_FAULT_REFUSED);
        part(&j);
    }
}

static void test_what_a_client_sees(void **state) {
    const struct tls_client_options options = believing();
    struct joined j;
    (void)state;
    join(&j, &options, "localhost");
    assert_int_equal(shake_hands(&j, 4096), TLS_DONE);
    struct tls_client_view view = tls_client_look(j.sessions[TLS_CLIENT]);
    assert_string_equal(view.version, "TLSv1.3");
    assert_non_null(strstr(view.cipher, "TLS_"));
    assert_true(view.seconds_left > 29 * 24 * hour && view.seconds_left <= 30 * 24 * hour);
    part(&j);
}

/* OpenSSL looks at no name at all where it is given an empty one, and at each that ends so where it
 * begins with a dot. */
static void test_hosts_that_no_certificate_is_for(void **state) {
    static const char *const wrong[] = {"",
                                        ".",
                                        ".example",
                                        "a..b",
                                        "*.example",
                                        "a b",
                                        "a/b",
                                        "r\xc3\xa9"
                                        "dis",
                                        "..",
                                        "a.."};
    const struct tls_client_options options = believing();
    struct joined j;
    (void)state;
    join(&j, &options, "localhost");
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_false(tls_client_host_is_valid(slice_of_string(wrong[i])));
        assert_false(tls_client_expect(j.sessions[TLS_CLIENT], wrong[i]));
    }
    assert_false(tls_client_host_is_valid(S("a\0b")));
    part(&j);
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

static void test_each_byte_of_a_record_but_the_last_is_unread(void **state) {
    const struct tls_client_options options = believing();
    struct joined j;
    (void)state;
    join(&j, &options, "localhost");
    assert_int_equal(shake_hands(&j, 4096), TLS_DONE);
    for (unsigned from = 0; from < 2; from++) {
        struct tls_session *to = j.sessions[1 - from];
        heard_size = 0;
        assert_int_equal(carry(&j, from, 4096, hear), TLS_MORE); /* what the handshake left */
        assert_false(tls_has_unread(to));
        assert_true(tls_write(j.sessions[from], "word", 4));
        struct block *record = tls_take_output(j.sessions[from]);
        for (size_t at = 0; at < record->size; at++) {
            tls_feed(to, record->data + at, 1);
            assert_int_equal(hear(to), TLS_MORE);
            assert_int_equal(tls_has_unread(to), at + 1 < record->size);
        }
        block_give(&j.blocks, record);
        assert_slice(slice_of(heard, heard_size), slice_of_string("word"));
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
        cmocka_unit_test(test_faults_of_a_certificate),
        cmocka_unit_test(test_the_names_of_another_s_certificate),
        cmocka_unit_test(test_fault_of_a_version),
        cmocka_unit_test(test_a_server_that_wants_a_certificate),
        cmocka_unit_test(test_what_a_client_sees),
        cmocka_unit_test(test_hosts_that_no_certificate_is_for),
        cmocka_unit_test(test_handshake_and_words_in_single_bytes),
        cmocka_unit_test(test_each_byte_of_a_record_but_the_last_is_unread),
        cmocka_unit_test(test_an_end_is_told_from_a_cut),
    };
    certificate_make(&certificate, "localhost");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    certificate_remove(&certificate);
    return failed;
}
