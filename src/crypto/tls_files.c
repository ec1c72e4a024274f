#include "mintd/tls_files.h"
#include "mintd/crypto.h"
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_SIZE 4096u

/* ---- what is wrong ---- */

struct tls_complaint tls_complaint_of(struct buffer *error) {
    ERR_clear_error();
    return (struct tls_complaint){.error = error, .failed_before = crypto_failed_allocations()};
}

/* OpenSSL's last word may be about a file, where a failed allocation was the cause; of files that
 * it opens itself the queue tells. */
static bool memory_was_short(const struct tls_complaint *complaint) {
    bool was_short = crypto_failed_allocations() != complaint->failed_before;
    for (unsigned long problem; (problem = ERR_get_error()) != 0;) {
        was_short |= ERR_SYSTEM_ERROR(problem) && ERR_GET_REASON(problem) == ENOMEM;
    }
    return was_short;
}

bool tls_complain(struct tls_complaint *complaint, struct slice subject, const char *what) {
    complaint->no_memory = memory_was_short(complaint);
    buffer_append_format(complaint->error, "%.*s: %s", (int)subject.size, subject.data,
                         complaint->no_memory ? "not enough memory" : what);
    return false;
}

/* ---- files ---- */

static bool to_path(struct slice text, char path[PATH_SIZE], struct tls_complaint *complaint) {
    if (text.size == 0 || text.size >= PATH_SIZE || memchr(text.data, '\0', text.size) != NULL) {
        buffer_append_format(complaint->error,
                             "a file of the certificate or key has no proper name");
        return false;
    }
    memcpy(path, text.data, text.size);
    path[text.size] = '\0';
    return true;
}

static bool is_readable(const char *path, struct tls_complaint *complaint) {
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        int problem = errno;
        tls_complain(complaint, slice_of_string(path),
                     problem == ENOMEM ? "not enough memory" : strerror(problem));
        complaint->no_memory |= problem == ENOMEM;
        return false;
    }
    fclose(file);
    return true;
}

/* Instead of OpenSSL's, that would ask on the terminal. */
static int on_passphrase(char *text, int size, int writing, void *context) {
    (void)text, (void)size, (void)writing, (void)context;
    return -1;
}

static bool is_mismatch(unsigned long problem) {
    return ERR_GET_LIB(problem) == ERR_LIB_X509 &&
           (ERR_GET_REASON(problem) == X509_R_KEY_VALUES_MISMATCH ||
            ERR_GET_REASON(problem) == X509_R_KEY_TYPE_MISMATCH);
}

static bool use_chain(SSL_CTX *context, const char *path, struct tls_complaint *complaint) {
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(context, path) == 1) {
        return true;
    }
    bool is_weak = ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_SSL &&
                   ERR_GET_REASON(ERR_peek_last_error()) != ERR_R_PEM_LIB;
    return tls_complain(complaint, slice_of_string(path),
                        is_weak
                            ? "this certificate is not taken: its key or signature is too weak"
                            : "no certificate in PEM: the certificate itself comes first in the "
                              "file, then those that signed it");
}

static bool use_key(SSL_CTX *context, const char *path, struct tls_complaint *complaint) {
    static const char mismatch[] = "this key does not belong to the certificate";
    ERR_clear_error();
    if (SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM) == 1) {
        return SSL_CTX_check_private_key(context) == 1 ||
               tls_complain(complaint, slice_of_string(path), mismatch);
    }
    return tls_complain(
        complaint, slice_of_string(path),
        is_mismatch(ERR_peek_last_error())
            ? mismatch
            : "no private key in PEM without a passphrase (openssl pkey takes one off)");
}

bool tls_use_certificate(struct tls_context *tls, struct slice certificate_file,
                         struct slice key_file, struct tls_complaint *complaint) {
    SSL_CTX *context = tls_context_openssl(tls);
    char certificate[PATH_SIZE], key[PATH_SIZE];
    SSL_CTX_set_default_passwd_cb(context, on_passphrase);
    return to_path(certificate_file, certificate, complaint) && to_path(key_file, key, complaint) &&
           is_readable(certificate, complaint) && is_readable(key, complaint) &&
           use_chain(context, certificate, complaint) && use_key(context, key, complaint);
}

/* ---- whom to believe ---- */

static bool is_folder(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

/* OpenSSL reads what a certificate says when it is first asked for, on whatever thread: here none
 * but this one sees them yet. */
static void read_whole(SSL_CTX *context) {
    const STACK_OF(X509_OBJECT) *all = X509_STORE_get0_objects(SSL_CTX_get_cert_store(context));
    for (int i = 0; i < sk_X509_OBJECT_num(all); i++) {
        X509 *certificate = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(all, i));
        if (certificate != NULL) {
            X509_check_purpose(certificate, -1, 0);
        }
    }
    ERR_clear_error();
}

static bool load_system_s(SSL_CTX *context, struct tls_complaint *complaint) {
    return SSL_CTX_set_default_verify_paths(context) == 1 ||
           tls_complain(complaint, S("the system's authorities"),
                        "their certificates cannot be read");
}

static bool load_given(SSL_CTX *context, struct slice name, struct tls_complaint *complaint) {
    char path[PATH_SIZE];
    if (!to_path(name, path, complaint) || !is_readable(path, complaint)) {
        return false;
    }
    bool loaded = is_folder(path) ? SSL_CTX_load_verify_dir(context, path) == 1
                                  : SSL_CTX_load_verify_file(context, path) == 1;
    return loaded || tls_complain(complaint, name, "no certificates in PEM that can be read");
}

bool tls_use_authorities(struct tls_context *tls, struct slice file_or_folder,
                         struct tls_complaint *complaint) {
    SSL_CTX *context = tls_context_openssl(tls);
    ERR_clear_error();
    bool loaded = slice_is_absent(file_or_folder) ? load_system_s(context, complaint)
                                                  : load_given(context, file_or_folder, complaint);
    if (loaded) {
        read_whole(context);
    }
    return loaded;
}
