/* What only a client's side of TLS has: authorities, the name of the server, its certificate. */
#include "mintd/tls_client.h"
#include "crypto/tls_internal.h"
#include "mintd/crypto.h"
#include "mintd/ip.h"
#include "mintd/tls_files.h"
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <time.h>

#define HOST_MAX 253u /* RFC 1035 2.3.4, as text */

/* ---- the names of a certificate that is another's ---- */

static struct slice bytes_of(const ASN1_STRING *text) {
    return slice_of((const char *)ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
}

/* Of a wildcard what is behind it: whoever made the name, it gets into the log. */
static bool is_plain(struct slice name) {
    return tls_client_host_is_valid(slice_skip(name, slice_starts_with(name, S("*.")) ? 2 : 0));
}

static void append_name(struct buffer *names, struct slice name) {
    if (names->size + 1 + name.size <= names->capacity) {
        buffer_append(names, names->size == 0 ? S("") : S(" "));
        buffer_append(names, name);
    }
}

static void append_address(struct buffer *names, struct slice bytes) {
    char text[IP_TEXT_MAX + 1];
    if (bytes.size == 4 || bytes.size == 16) {
        struct ip ip = bytes.size == 4 ? ip_of_v4(bytes.data) : ip_of_v6(bytes.data);
        append_name(names, slice_of(text, ip_text(&ip, text)));
    }
}

static void note_names(struct tls_session *session, const X509 *certificate) {
    struct buffer names = buffer_of(session->names, sizeof session->names - 1);
    GENERAL_NAMES *list = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(list); i++) {
        const GENERAL_NAME *one = sk_GENERAL_NAME_value(list, i);
        if (one->type == GEN_DNS && is_plain(bytes_of(one->d.dNSName))) {
            append_name(&names, bytes_of(one->d.dNSName));
        } else if (one->type == GEN_IPADD) {
            append_address(&names, bytes_of(one->d.iPAddress));
        }
    }
    session->names[names.size] = '\0';
    GENERAL_NAMES_free(list);
}

static int on_verified(int is_fine, X509_STORE_CTX *check) {
    int problem = X509_STORE_CTX_get_error(check);
    if (!is_fine &&
        (problem == X509_V_ERR_HOSTNAME_MISMATCH || problem == X509_V_ERR_IP_ADDRESS_MISMATCH)) {
        SSL *ssl = X509_STORE_CTX_get_ex_data(check, SSL_get_ex_data_X509_STORE_CTX_idx());
        note_names(SSL_get_app_data(ssl), X509_STORE_CTX_get_current_cert(check));
    }
    return is_fine;
}

/* ---- a context ---- */

static bool set_up(struct tls_context *tls, const struct tls_client_options *options,
                   struct tls_complaint *complaint) {
    SSL_CTX *context = tls_context_openssl(tls);
    bool has_certificate = !slice_is_absent(options->certificate);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_CLEANSE_PLAINTEXT);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    if (!options->believes_all) {
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, on_verified);
    }
    return (options->believes_all || tls_use_authorities(tls, options->ca, complaint)) &&
           (!has_certificate ||
            tls_use_certificate(tls, options->certificate, options->key, complaint));
}

struct tls_context *tls_client_context_new(const struct tls_client_options *options,
                                           struct buffer *error, bool *no_memory) {
    bool started = crypto_start();
    struct tls_complaint complaint = tls_complaint_of(error);
    struct tls_context *tls = started ? tls_context_new(TLS_CLIENT) : NULL;
    bool ok = tls != NULL ? set_up(tls, options, &complaint)
                          : tls_complain(&complaint, S("TLS"),
                                         "not enough memory, or OpenSSL does not do what is "
                                         "needed of it");
    if (!ok) {
        tls_context_free(tls);
        tls = NULL;
    }
    if (no_memory != NULL) {
        *no_memory = complaint.no_memory;
    }
    return tls;
}

/* ---- the server ---- */

bool tls_client_host_is_valid(struct slice host) {
    for (size_t i = 0; i < host.size; i++) {
        char c = host.data[i];
        bool is_plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                        (c >= 'a' && c <= 'z') || c == '-' || c == '_' || c == ':';
        bool is_dot_inside = c == '.' && i != 0 && host.data[i - 1] != '.';
        if (!is_plain && !is_dot_inside) {
            return false;
        }
    }
    return host.size != 0 && host.size <= HOST_MAX;
}

/* RFC 6066 3: an address is not asked for. Without a name OpenSSL would look at none. */
bool tls_client_expect(struct tls_session *session, const char *host) {
    X509_VERIFY_PARAM *rules = SSL_get0_param(session->ssl);
    char name[HOST_MAX + 1];
    size_t size = strlen(host);
    if (!tls_client_host_is_valid(slice_of(host, size))) {
        return false;
    }
    memcpy(name, host, size + 1);
    if (name[size - 1] == '.') {
        name[size - 1] = '\0';
    }
    SSL_set_app_data(session->ssl, session);
    X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    bool is_address = X509_VERIFY_PARAM_set1_ip_asc(rules, name) == 1;
    ERR_clear_error();
    return is_address || (SSL_set_tlsext_host_name(session->ssl, name) == 1 &&
                          X509_VERIFY_PARAM_set1_host(rules, name, 0) == 1);
}

/* ---- what went wrong ---- */

const char *tls_client_doubt(const struct tls_session *session) {
    long verified = SSL_get_verify_result(session->ssl);
    return verified == X509_V_OK || SSL_get_verify_mode(session->ssl) == SSL_VERIFY_NONE
               ? NULL
               : X509_verify_cert_error_string(verified);
}

const char *tls_client_names(const struct tls_session *session) {
    return session->names;
}

static enum tls_fault fault_of_certificate(long verified) {
    switch (verified) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return TLS_FAULT_NAME;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return TLS_FAULT_EXPIRED;
    case X509_V_ERR_OUT_OF_MEM:
        return TLS_FAULT_OTHER;
    default:
        return TLS_FAULT_CHAIN;
    }
}

enum tls_fault tls_client_fault(const struct tls_session *session) {
    if (tls_client_doubt(session) != NULL) {
        return fault_of_certificate(SSL_get_verify_result(session->ssl));
    }
    if (ERR_GET_LIB(session->problem) != ERR_LIB_SSL) {
        return TLS_FAULT_OTHER;
    }
    switch (ERR_GET_REASON(session->problem)) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
        return TLS_FAULT_VERSION;
    case SSL_R_TLSV1_UNRECOGNIZED_NAME:
        return TLS_FAULT_NAME;
    default:
        return ERR_GET_REASON(session->problem) > SSL_AD_REASON_OFFSET ? TLS_FAULT_REFUSED
                                                                       : TLS_FAULT_OTHER;
    }
}

/* ---- what was seen ---- */

bool tls_client_saw(const struct tls_session *session, const char *certificate_file) {
    FILE *file = fopen(certificate_file, "re");
    X509 *wanted = file == NULL ? NULL : PEM_read_X509(file, NULL, NULL, NULL);
    X509 *seen = SSL_get1_peer_certificate(session->ssl);
    bool same = wanted != NULL && seen != NULL && X509_cmp(wanted, seen) == 0;
    X509_free(seen);
    X509_free(wanted);
    if (file != NULL) {
        fclose(file);
    }
    ERR_clear_error();
    return same;
}

struct tls_client_view tls_client_look(const struct tls_session *session) {
    const X509 *certificate = SSL_get0_peer_certificate(session->ssl);
    int days = 0, seconds = 0;
    struct tm end;
    long long expires_s = 0;
    if (certificate != NULL) {
        ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(certificate));
        expires_s = ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) == 1 ? timegm(&end) : 0;
    }
    ERR_clear_error();
    return (struct tls_client_view){
        .version = SSL_get_version(session->ssl),
        .cipher = SSL_get_cipher_name(session->ssl),
        .seconds_left = days * 86400LL + seconds,
        .expires_s = expires_s,
    };
}
