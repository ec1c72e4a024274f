/* A server's session of TLS, whatever it is sent. Its client is one of ours too, so that handshakes
 * get somewhere; what that sends is spoilt on the way. Suites and ALPN are OpenSSL's defaults here.
 *
 * Input: for each flight of the client a trick, and where in it; then what the trick needs. What
 * is left is sent at the end. Where nothing was spoilt, all has to arrive. */
#include "fuzz/fuzz.h"
#include "mintd/crypto.h"
#include "mintd/tls.h"
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#define ROUNDS_MAX 8
#define FLIGHT_MAX 65536u
#define PLAIN "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

static struct tls_context *server_context, *client_context;
static struct block_pool blocks;

int LLVMFuzzerInitialize(int *argc, char ***argv);

/* A certificate that signs itself. */
static void certify(SSL_CTX *context) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    FUZZ_REQUIRE(key != NULL && certificate != NULL);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    FUZZ_REQUIRE(X509_set_pubkey(certificate, key) == 1);
    FUZZ_REQUIRE(X509_sign(certificate, key, EVP_sha256()) != 0);
    FUZZ_REQUIRE(SSL_CTX_use_certificate(context, certificate) == 1);
    FUZZ_REQUIRE(SSL_CTX_use_PrivateKey(context, key) == 1);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    crypto_own_allocations();
    FUZZ_REQUIRE(crypto_start());
    server_context = tls_context_new(TLS_SERVER);
    client_context = tls_context_new(TLS_CLIENT);
    FUZZ_REQUIRE(server_context != NULL && client_context != NULL);
    certify(tls_context_openssl(server_context));
    SSL_CTX_set_mode(tls_context_openssl(server_context), SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(tls_context_openssl(server_context), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(tls_context_openssl(client_context), SSL_VERIFY_NONE, NULL);
    return 0;
}

struct end {
    struct tls_session *tls;
    bool is_ready, is_over;
    size_t came; /* bytes of plaintext */
    char plain[1024];
};

/* Records have come: as far as they go. */
static void go_on(struct end *end, const char *records, size_t size) {
    size_t count = 0;
    tls_feed(end->tls, records, size);
    enum tls_step step = end->is_ready ? TLS_DONE : tls_handshake(end->tls);
    end->is_ready = step == TLS_DONE;
    for (unsigned i = 0; step == TLS_DONE; i++) {
        end->came = end->came < sizeof end->plain ? end->came : 0; /* more than anybody wrote */
        size_t room = sizeof end->plain - end->came;
        step = tls_read(end->tls, end->plain + end->came, room, &count);
        FUZZ_REQUIRE(step != TLS_DONE || (count <= room && i <= size));
        end->came += step == TLS_DONE ? count : 0;
    }
    if (end->is_ready && step != TLS_ENDED && step != TLS_FAILED && tls_is_drained(end->tls)) {
        char none;
        FUZZ_REQUIRE(tls_read(end->tls, &none, 1, &count) == TLS_MORE);
    }
    tls_has_unread(end->tls);
    end->is_over = step == TLS_ENDED || step == TLS_FAILED;
}

static size_t take(struct end *end, char *bytes) {
    struct block *block = tls_take_output(end->tls);
    size_t size = block == NULL ? 0 : block->size;
    FUZZ_REQUIRE(size <= FLIGHT_MAX && tls_output_size(end->tls) == 0);
    if (size != 0) {
        memcpy(bytes, block->data, size);
    }
    block_give(&blocks, block);
    return size;
}

/* The rest of the input. */
struct script {
    const uint8_t *data;
    size_t size;
    bool spoils; /* something else than the client's bytes was passed on */
};

static unsigned next(struct script *script) {
    if (script->size == 0) {
        return 0;
    }
    script->size--;
    return *script->data++;
}

static void pass_on(struct end *server, const char *bytes, size_t size) {
    if (!server->is_over) {
        go_on(server, bytes, size);
    }
}

enum trick { AS_IT_IS, CHANGED, CUT, INSERTED, IN_PIECES, TRICKS };

/* A flight of the client goes to the server. */
static void spoil(struct script *script, struct end *server, char *flight, size_t size) {
    enum trick trick = next(script) % TRICKS;
    size_t at = size;
    if (trick != AS_IT_IS) {
        unsigned high = next(script);
        at = (high << 8 | next(script)) % (size + 1);
    }
    script->spoils = script->spoils || (trick != AS_IT_IS && trick != IN_PIECES);
    if (trick == CHANGED && at < size) {
        flight[at] ^= (char)next(script);
    }
    pass_on(server, flight, trick == CHANGED ? size : at);
    if (trick == INSERTED) {
        unsigned count = next(script);
        count = count < script->size ? count : (unsigned)script->size;
        pass_on(server, (const char *)script->data, count);
        script->data += count;
        script->size -= count;
    }
    if (trick == INSERTED || trick == IN_PIECES) {
        pass_on(server, flight + at, size - at);
    }
}

static struct end open_end(struct tls_context *context) {
    struct end end = {.tls = tls_session_new(context, &blocks)};
    FUZZ_REQUIRE(end.tls != NULL);
    return end;
}

static void say_once(struct end *end, bool *has_said) {
    if (end->is_ready && !end->is_over && !*has_said) {
        FUZZ_REQUIRE(tls_write(end->tls, PLAIN, sizeof PLAIN - 1));
        *has_said = true;
    }
}

static void talk(struct script *script, struct end *server, struct end *client) {
    static char flight[FLIGHT_MAX];
    bool has_asked = false, has_answered = false;
    go_on(client, "", 0);
    for (unsigned round = 0; round < ROUNDS_MAX && !client->is_over; round++) {
        say_once(client, &has_asked);
        spoil(script, server, flight, take(client, flight));
        say_once(server, &has_answered);
        size_t size = take(server, flight);
        if (size != 0) {
            go_on(client, flight, size);
        }
    }
}

static void require_whole(const struct end *end) {
    FUZZ_REQUIRE(end->is_ready && end->came == sizeof PLAIN - 1);
    FUZZ_REQUIRE(memcmp(end->plain, PLAIN, end->came) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct script script = {.data = data, .size = size};
    struct end server = open_end(server_context), client = open_end(client_context);
    talk(&script, &server, &client);
    if (!script.spoils) {
        require_whole(&server);
        require_whole(&client);
    }
    pass_on(&server, (const char *)script.data, script.size);
    tls_end(server.tls);
    tls_session_free(server.tls);
    tls_session_free(client.tls);
    return 0;
}
