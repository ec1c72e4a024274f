/* certificate.h: a certificate of ECDSA P-256 for 127.0.0.1 and localhost that signs itself, and
 * its key, made by openssl(1) in a folder of its own. */
#ifndef MINTD_TEST_CERTIFICATE_H
#define MINTD_TEST_CERTIFICATE_H

struct certificate {
    char folder[64], file[96], key_file[96];
};

/* Fails the test where that fails. `name`: what it is issued to. */
void certificate_make(struct certificate *certificate, const char *name);
void certificate_remove(const struct certificate *certificate);

#endif
