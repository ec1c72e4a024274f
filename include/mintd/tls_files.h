/* tls_files.h: certificates, keys and authorities out of PEM files, into a context (mintd/tls.h).
 * All of it blocks. */
#ifndef MINTD_TLS_FILES_H
#define MINTD_TLS_FILES_H

#include "mintd/buffer.h"
#include "mintd/tls.h"

/* What is wrong, in one line, and whether memory was the cause: then the files may be right. */
struct tls_complaint {
    struct buffer *error;
    bool no_memory;
    unsigned failed_before; /* allocations of OpenSSL's */
};

struct tls_complaint tls_complaint_of(struct buffer *error);
/* "subject: what", or that memory was short where OpenSSL says so. Its queue of errors is empty
 * then. Always false. */
bool tls_complain(struct tls_complaint *complaint, struct slice subject, const char *what);

/* The certificate with its chain, and its key, not encrypted. False, with a complaint, where they
 * cannot be used. */
bool tls_use_certificate(struct tls_context *tls, struct slice certificate_file,
                         struct slice key_file, struct tls_complaint *complaint);
/* Whom to believe: a file of certificates; or a folder, as openssl-rehash makes it, which is
 * looked into at each handshake; or the system's (absent). */
bool tls_use_authorities(struct tls_context *tls, struct slice file_or_folder,
                         struct tls_complaint *complaint);

#endif
