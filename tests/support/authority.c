#include "support/authority.h"
#include "unit/unit.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#define DAY_S (24L * 3600)

static void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static X509 *new_certificate(EVP_PKEY *key, const char *name, long serial, long from_s,
                             long until_s) {
    X509 *certificate = X509_new();
    assert_non_null(certificate);
    assert_int_equal(X509_set_version(certificate, X509_VERSION_3), 1);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(certificate), from_s));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(certificate), until_s));
    assert_int_equal(X509_set_pubkey(certificate, key), 1);
    assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN",
                                                MBSTRING_ASC, (const unsigned char *)name, -1, -1,
                                                0),
                     1);
    return certificate;
}

static void sign(X509 *certificate, X509 *issuer, EVP_PKEY *key) {
    assert_int_equal(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)), 1);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
}

static void write_file(const char *name, X509 *certificate, EVP_PKEY *key) {
    FILE *file = fopen(name, "we");
    assert_non_null(file);
    assert_int_equal(certificate != NULL
                         ? PEM_write_X509(file, certificate)
                         : PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL),
                     1);
    assert_int_equal(fclose(file), 0);
}

void authority_open(struct authority *authority, const char *name) {
    authority->issued = 0;
    snprintf(authority->folder, sizeof authority->folder, "/tmp/mintd-authority-XXXXXX");
    assert_non_null(mkdtemp(authority->folder));
    snprintf(authority->file, sizeof authority->file, "%s/ca.pem", authority->folder);
    authority->key = EVP_EC_gen("P-256");
    assert_non_null(authority->key);
    authority->certificate = new_certificate(authority->key, name, 1, -30 * DAY_S, 30 * DAY_S);
    X509 *own = authority->certificate;
    assert_int_equal(X509_set_issuer_name(own, X509_get_subject_name(own)), 1);
    add_extension(own, own, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(own, own, NID_subject_key_identifier, "hash");
    sign(own, own, authority->key);
    write_file(authority->file, own, NULL);
}

void authority_close(struct authority *authority) {
    char command[96];
    X509_free(authority->certificate);
    EVP_PKEY_free(authority->key);
    snprintf(command, sizeof command, "rm -r %s", authority->folder);
    assert_int_equal(system(command), 0);
}

void authority_issue(struct authority *authority, const char *names, long from_s, long until_s,
                     struct issued *issued) {
    unsigned number = ++authority->issued;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    assert_non_null(key);
    X509 *certificate = new_certificate(key, "a test's", 1 + (long)number, from_s, until_s);
    add_extension(certificate, authority->certificate, NID_subject_alt_name, names);
    sign(certificate, authority->certificate, authority->key);
    snprintf(issued->file, sizeof issued->file, "%s/%u.pem", authority->folder, number);
    snprintf(issued->key_file, sizeof issued->key_file, "%s/%u.key", authority->folder, number);
    write_file(issued->file, certificate, NULL);
    write_file(issued->key_file, NULL, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
}
