/* client_address_of(): any X-Forwarded-For and Forwarded, from a trusted proxy.
 *
 * The first byte says which fields, the rest is their value; it is read as a list of trusted
 * networks, too, which holds what it names. */
#include "api/client_address.h"
#include "fuzz/fuzz.h"

struct http_exchange {
    struct http_request request;
    struct ip peer;
};

const struct http_request *http_request_of(const struct http_exchange *x) {
    return &x->request;
}

const struct ip *http_peer_ip_of(const struct http_exchange *x) {
    return &x->peer;
}

static struct ip proxy_address(void) {
    struct ip ip = {.size = 0};
    FUZZ_REQUIRE(ip_parse(S("10.0.0.1"), &ip));
    return ip;
}

static struct networks trusted_networks(void) {
    char storage[64];
    struct buffer error = buffer_of(storage, sizeof storage);
    struct networks trusted;
    FUZZ_REQUIRE(networks_parse(S("10.0.0.0/8 2001:db8::/32"), &trusted, &error));
    return trusted;
}

/* What is written is read as the same address. */
static void require_canonical(const struct ip *ip) {
    char text[IP_TEXT_MAX + 1];
    struct ip again;
    FUZZ_REQUIRE(ip->size == 4 || ip->size == 16);
    FUZZ_REQUIRE(ip_parse(slice_of(text, ip_text(ip, text)), &again));
    FUZZ_REQUIRE(ip_equal(ip, &again));
    struct ip network = ip_network(ip, 64);
    FUZZ_REQUIRE(network.size == ip->size && memcmp(network.bytes, ip->bytes, 4) == 0);
}

/* What is wrong is said; an address that is taken is a network of its own. */
static void read_networks(struct slice list) {
    char storage[512];
    struct buffer error = buffer_of(storage, sizeof storage);
    struct networks networks;
    struct ip ip = {.size = 0};
    memset(&networks, 0, sizeof networks);
    bool is_taken = networks_parse(list, &networks, &error);
    FUZZ_REQUIRE(is_taken || error.size != 0 || error.overflow);
    FUZZ_REQUIRE(networks.count <= NETWORKS_MAX);
    if (is_taken && ip_parse(list, &ip)) {
        FUZZ_REQUIRE(networks_contain(&networks, &ip));
    }
}

static void add(struct http_exchange *x, enum http_field_id id, struct slice value) {
    x->request.fields[x->request.field_count++] = (struct http_field){id, value};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static char line[HTTP_MAX_HEAD + 64];
    struct http_exchange x = {.peer = proxy_address()};
    struct networks trusted = trusted_networks();
    struct slice input = fuzz_input(data, size);
    if (size == 0 || size > HTTP_MAX_HEAD) {
        return 0;
    }
    bool is_forwarded = data[0] % 2 == 0;
    enum http_field_id id = is_forwarded ? HTTP_FIELD_FORWARDED : HTTP_FIELD_X_FORWARDED_FOR;
    struct slice value = slice_trim(slice_skip(input, 1));
    read_networks(value);
    add(&x, id, value);
    struct ip address = client_address_of(&x, &trusted);
    require_canonical(&address);

    /* What a proxy appends decides, whatever stands before it. */
    struct buffer longer = buffer_of(line, sizeof line);
    buffer_append(&longer, value);
    buffer_append(&longer, is_forwarded ? S(", for=\"[2001:db9::7]:80\"") : S(", 2001:db9::7"));
    x.request.field_count = 0;
    add(&x, id, buffer_slice(&longer));
    address = client_address_of(&x, &trusted);
    struct ip expected;
    FUZZ_REQUIRE(ip_parse(S("2001:db9::7"), &expected) && ip_equal(&address, &expected));
    FUZZ_REQUIRE(!client_address_is_claimed(&x, &trusted));
    return 0;
}
