"""Certificates made by openssl(1), contexts of clients, and two programs that know TLS.

    certificate = Certificate(directory, "first")    # ECDSA P-256, for localhost and 127.0.0.1
    certificate.trusting(maximum=TLSVersion.TLSv1_2) # an ssl.SSLContext that believes it alone
    s_client(mintd, certificate, "-tls1_1")          # openssl s_client: (exit status, all that it says)
"""
import os
import shutil
import ssl
import subprocess

from .timing import scaled


class Certificate:
    def __init__(self, directory, name, kind="ec", days=30):
        self.file, self.key = (os.path.join(directory, "%s.%s.pem" % (name, kind))
                               for kind in ("cert", "key"))
        self.name = name
        key = {"ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["rsa:2048"]}[kind]
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", *key, "-nodes", "-days", str(days), "-subj", "/CN=" + name, "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
             "-out", self.file, "-keyout", self.key], check=True, capture_output=True)

    def trusting(self, *others, maximum=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        for certificate in (self, *others):
            context.load_verify_locations(certificate.file)
        if maximum:
            context.maximum_version = maximum
        return context

    def install(self, other):
        """Puts the other's files in the place of these, each at once."""
        for there, here in ((other.file, self.file), (other.key, self.key)):
            shutil.copy(there, here + ".new")
            os.replace(here + ".new", here)


def name_of(connection):
    """Whom the server's certificate was issued to."""
    return dict(pair[0] for pair in connection.socket.getpeercert()["subject"])["commonName"]


def _run(arguments, text=b"", timeout=20):
    done = subprocess.run(arguments, input=text, capture_output=True, timeout=scaled(timeout), check=False)
    return done.returncode, (done.stdout + done.stderr).decode("utf-8", "replace")


def s_client(mintd, certificate, *arguments, text=b""):
    return _run(["openssl", "s_client", "-connect", "%s:%d" % mintd.address, "-CAfile", certificate.file,
                 "-verify_return_error", *arguments], text)


def sslscan(mintd):
    return _run(["sslscan", "--no-colour", "--show-certificate", "%s:%d" % mintd.address], timeout=60)[1]
