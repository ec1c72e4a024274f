"""Certificates made by openssl(1), contexts of clients, and two programs that know TLS.

    certificate = Certificate(directory, "first")    # ECDSA P-256, for localhost and 127.0.0.1
    certificate.trusting(maximum=TLSVersion.TLSv1_2) # an ssl.SSLContext that believes it alone
    authority = Authority(directory, "ours")         # authority.file
    authority.issue("redis", "IP:127.0.0.1")         # signed by it: .file, .key
    s_client(mintd, certificate, "-tls1_1")          # openssl s_client: (exit status, all that it says)
"""
import os
import shutil
import ssl
import subprocess

from .timing import scaled


EC = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]


class Files:
    """A certificate and its key: file, key."""

    def install(self, other):
        """Puts the other's files in the place of these, each at once."""
        for there, here in ((other.file, self.file), (other.key, self.key)):
            shutil.copy(there, here + ".new")
            os.replace(here + ".new", here)


class Authority(Files):
    def __init__(self, directory, name):
        self._directory = directory
        self.file, self.key = (os.path.join(directory, "%s.%s.pem" % (name, kind)) for kind in ("ca", "key"))
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", *EC, "-nodes", "-days", "30", "-subj", "/CN=" + name,
             "-out", self.file, "-keyout", self.key], check=True, capture_output=True)

    def issue(self, name, names, days=30):
        """names: "DNS:redis.example,IP:127.0.0.1"; days: negative where it has expired."""
        issued = Files()
        issued.file, issued.key, asked, more = (
            os.path.join(self._directory, "%s.%s" % (name, kind)) for kind in ("cert", "key", "csr", "ext"))
        with open(more, "w", encoding="ascii") as file:
            file.write("subjectAltName=" + names)
        subprocess.run(["openssl", "req", "-newkey", *EC, "-nodes", "-subj", "/CN=" + name, "-out", asked,
                        "-keyout", issued.key], check=True, capture_output=True)
        # OpenSSL 3.5 makes none that has expired.
        earlier = ["faketime", "-f", "%dd" % (days - 1)] if days < 0 else []
        subprocess.run([*earlier, "openssl", "x509", "-req", "-in", asked, "-CA", self.file, "-CAkey", self.key, "-days",
                        str(max(days, 1)), "-extfile", more, "-out", issued.file], check=True, capture_output=True)
        return issued


class Certificate(Files):
    def __init__(self, directory, name, kind="ec", days=30):
        self.file, self.key = (os.path.join(directory, "%s.%s.pem" % (name, kind))
                               for kind in ("cert", "key"))
        self.name = name
        key = {"ec": EC, "rsa": ["rsa:2048"]}[kind]
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
