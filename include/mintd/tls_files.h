/* tls_files.h: loads certificates, keys and authorities from PEM files into a context
 * (mintd/tls.h). All calls block. */
#ifndef MINTD_TLS_FILES_H
#define MINTD_TLS_FILES_H

#include "mintd/buffer.h"
#include "mintd/tls.h"

/* What is wrong, in one line, and whether memory was the cause: then the files may be right. */
struct tls_complaint {
    struct buffer *error;
    bool no_memory;
    unsigned failed_before; /* OpenSSL's failed allocations, as counted before */
};

struct tls_complaint tls_complaint_of(struct buffer *error);
/* Writes "subject: what", or that memory was short where OpenSSL says so. It empties OpenSSL's
 * queue of errors. Always returns false. */
bool tls_complain(struct tls_complaint *complaint, struct slice subject, const char *what);

/* Loads the certificate with its chain, and its key, which is not encrypted. False: they cannot be
 * used, and there is a complaint. */
bool tls_use_certificate(struct tls_context *tls, struct slice certificate_file,
                         struct slice key_file, struct tls_complaint *complaint);
/* Loads the authorities to believe: a file of certificates; or a folder, as openssl-rehash makes
 * it, which is read at each handshake; or the system's (absent). False: there is a complaint. */
bool tls_use_authorities(struct tls_context *tls, struct slice file_or_folder,
                         struct tls_complaint *complaint);

#endif
