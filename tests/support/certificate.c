#include "support/certificate.h"
#include "unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void certificate_make(struct certificate *certificate, const char *name) {
    char command[512];
    snprintf(certificate->folder, sizeof certificate->folder, "/tmp/mintd-certificate-XXXXXX");
    assert_non_null(mkdtemp(certificate->folder));
    snprintf(certificate->file, sizeof certificate->file, "%s/cert.pem", certificate->folder);
    snprintf(certificate->key_file, sizeof certificate->key_file, "%s/key.pem",
             certificate->folder);
    snprintf(command, sizeof command,
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 "
             "-subj /CN=%s -addext subjectAltName=DNS:localhost,IP:127.0.0.1 "
             "-out %s -keyout %s 2>/dev/null",
             name, certificate->file, certificate->key_file);
    assert_int_equal(system(command), 0);
}

void certificate_remove(const struct certificate *certificate) {
    unlink(certificate->file);
    unlink(certificate->key_file);
    rmdir(certificate->folder);
}
