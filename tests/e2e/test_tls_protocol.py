"""What the TLS listeners speak, and what they refuse: versions, suites, ALPN, tickets, renegotiation."""
import concurrent.futures
import json
import re
import socket
import ssl
import subprocess
from ssl import TLSVersion

import pytest

from support.clients import SVC_A
from support.http import Connection, curl, request_bytes
from support.oauth import row, rows
from support.timing import scaled
from support.tls import Authority, Certificate, s_client, sslscan

AEAD = {"AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"}
TLS_1_3 = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}


@rows("TLS-version", tls12=("1.2", "TLSv1.2"), tls13=("1.3", "TLSv1.3"))
def test_curl_speaks_both_versions(secure, certificate, case):
    status, out, err = curl("-v", "--tls-max", case[0], "--cacert", certificate.file,
                            "-d", "grant_type=client_credentials&client_id=svc-a", "-d",
                            "client_secret=" + SVC_A.secret,
                            "https://localhost:%d/token" % secure.address[1])
    assert status == 0 and json.loads(out)["token_type"] == "Bearer", err
    assert "SSL connection using %s / " % case[1] in err, err
    assert "ALPN: server accepted http/1.1" in err, err


@rows("B-09", tls10="-tls1", tls11="-tls1_1")
def test_old_versions_are_refused(secure, certificate, case):
    status, said = s_client(secure, certificate, case, "-cipher", "ALL:@SECLEVEL=0")
    assert status != 0 and "alert protocol version" in said, said
    assert int(re.search(r"read (\d+) bytes and written \d{2,}", said)[1]) == 7, said  # the alert alone


def every_suite():
    """Of TLS 1.2 and below, all that this machine's openssl knows."""
    listed = subprocess.run(["openssl", "ciphers", "-v", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"],
                            capture_output=True, text=True, check=True).stdout
    return [line.split()[0] for line in listed.splitlines() if "TLSv1.3" not in line]


@rows("B-09", ecdsa=("ec", "ECDHE-ECDSA-"), rsa=("rsa", "ECDHE-RSA-"))
def test_each_suite_of_tls_1_2_has_forward_secrecy_and_aead(start_mintd, redis, folder, case):
    certificate = Certificate(folder, "kind-" + case[0], kind=case[0])
    instance = start_mintd(redis=redis, certificate=certificate)
    suites = every_suite()
    assert len(suites) > 50 and "AES128-SHA" in suites and "AES128-GCM-SHA256" in suites

    def offer(suite):
        _, said = s_client(instance, certificate, "-tls1_2", "-cipher", suite + ":@SECLEVEL=0")
        taken = re.search(r"New, \S+ Cipher is (\S+)", said)
        assert taken, said
        return taken[1]

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        taken = dict(zip(suites, pool.map(offer, suites)))
    assert {s for s, t in taken.items() if t == s} == {case[1] + aead for aead in AEAD}
    assert {t for s, t in taken.items() if t != s} == {"(NONE)"}


@row("B-09-scan")
def test_sslscan_finds_nothing(secure):
    said = sslscan(secure)
    states = dict(re.findall(r"^((?:SSL|TLS)v[0-9.]+) +(enabled|disabled)$", said, re.M))
    assert states == {"SSLv2": "disabled", "SSLv3": "disabled", "TLSv1.0": "disabled",
                      "TLSv1.1": "disabled", "TLSv1.2": "enabled", "TLSv1.3": "enabled"}, said
    offered = re.findall(r"^(?:Accepted|Preferred) +(TLSv1\.[23]) +(\d+) bits +(\S+) +(.*)$", said, re.M)
    assert {name for version, _, name, _ in offered if version == "TLSv1.3"} == TLS_1_3, said
    assert {name for version, _, name, _ in offered if version == "TLSv1.2"} == \
        {"ECDHE-ECDSA-" + aead for aead in AEAD}, said
    assert all(int(bits) >= 128 for _, bits, _, _ in offered), said
    # TLS 1.3 has no other kind; a group of OpenSSL 3.5 that sslscan does not know is not named there (N-11).
    assert all("DHE" in keys for version, _, _, keys in offered if version == "TLSv1.2"), said
    for harmless in ("Session renegotiation not supported", "TLSv1.2 not vulnerable to heartbleed"):
        assert harmless in said, said
    groups = said.split("Key Exchange Group(s):")[1].split("SSL Certificate:")[0]
    assert "ffdhe" not in groups.lower() and "x25519" in groups, said
    secure.check_health()


@row("TLS-ciphersuite")
def test_no_other_suite_of_tls_1_3(secure, certificate):
    _, said = s_client(secure, certificate, "-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256")
    assert "alert handshake failure" in said and "Cipher is (NONE)" in said, said


AES_128, AES_256, CHACHA = "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"


@rows("TLS-order", usual=((AES_256, CHACHA, AES_128), AES_128), without_aes=((CHACHA, AES_256, AES_128), CHACHA),
      strong=((AES_256,), AES_256), no_128=((AES_256, CHACHA), AES_256))
def test_aes_128_comes_first_but_for_a_client_without_aes(secure, certificate, case):
    offered, taken = case
    _, said = s_client(secure, certificate, "-tls1_3", "-ciphersuites", ":".join(offered))
    assert "Cipher is %s\n" % taken in said, said
    names = {AES_128: "AES128-GCM-SHA256", AES_256: "AES256-GCM-SHA384", CHACHA: "CHACHA20-POLY1305"}
    _, said = s_client(secure, certificate, "-tls1_2", "-cipher", ":".join("ECDHE-ECDSA-" + names[suite] for suite in offered))
    assert "Cipher is ECDHE-ECDSA-%s\n" % names[taken] in said, said


@row("TLS-chain")
def test_what_is_sent_is_what_the_file_holds(start_mintd, redis, folder):
    """An issuer that stands in the file, and none that does not."""
    authority = Authority(folder, "chain")
    leaf = authority.issue("localhost", "DNS:localhost,IP:127.0.0.1")
    for count in (1, 2):
        instance = start_mintd("--tls-cert", leaf.file, "--tls-key", leaf.key, redis=redis)
        _, said = s_client(instance, authority, "-showcerts")
        assert "Verify return code: 0 (ok)" in said and said.count("-----BEGIN CERTIFICATE-----") == count, said
        with open(authority.file, "rb") as issuer, open(leaf.file, "ab") as file:
            file.write(issuer.read())


@row("TLS-renegotiation")
def test_renegotiation_is_refused(secure, certificate):
    _, said = s_client(secure, certificate, "-tls1_2", text=b"R\n")
    assert "RENEGOTIATING" in said and "no renegotiation" in said, said
    secure.check_health()


@row("TLS-alpn")
def test_alpn(secure, certificate):
    for offered in (["h2", "http/1.1"], ["http/1.1"]):
        context = certificate.trusting()
        context.set_alpn_protocols(offered)
        with Connection(secure.address, tls=context) as c:
            assert c.socket.selected_alpn_protocol() == "http/1.1"
            c.expect_in_step()
    context.set_alpn_protocols(["h2", "acme-tls/1"])
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        Connection(secure.address, tls=context)


@rows("TLS-ticket", tls12=TLSVersion.TLSv1_2, tls13=TLSVersion.TLSv1_3)
def test_one_ticket_that_every_worker_takes(start_mintd, redis, certificate, case):
    instance = start_mintd(redis=redis, certificate=certificate, workers=2)
    context = certificate.trusting(maximum=case)
    with Connection(instance.address, tls=context) as c:
        c.expect_in_step()
        session = c.socket.session
    assert session.has_ticket
    for _ in range(16):  # the kernel spreads them over both workers
        raw = socket.create_connection(instance.address, timeout=scaled(5))
        with context.wrap_socket(raw, server_hostname="localhost", session=session) as again:
            assert again.session_reused
    if case is TLSVersion.TLSv1_3:
        _, said = s_client(instance, certificate, "-tls1_3", "-ign_eof", text=request_bytes(
            "GET", "/healthz", [("Connection", "close")]))
        assert said.count("Post-Handshake New Session Ticket arrived") == 1, said
