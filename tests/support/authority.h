/* authority.h: an authority of a test's own and the certificates that it signs: keys of ECDSA
 * P-256, as PEM files in a folder. Whatever fails, fails the test. */
#ifndef MINTD_TEST_AUTHORITY_H
#define MINTD_TEST_AUTHORITY_H

struct x509_st;
struct evp_pkey_st;

struct authority {
    char folder[64];
    char file[96]; /* its certificate */
    struct x509_st *certificate;
    struct evp_pkey_st *key;
    unsigned issued;
};

struct issued {
    char file[96], key_file[96];
};

void authority_open(struct authority *authority, const char *name);
/* Removes the folder with all files. */
void authority_close(struct authority *authority);

/* names: "DNS:redis.example,IP:127.0.0.1"; valid from so many seconds from now on, until so many
 * seconds from now. */
void authority_issue(struct authority *authority, const char *names, long from_s, long until_s,
                     struct issued *issued);

#endif
