"""Tokens of mintd's form, written into Redis in the layout that docs/redis.md documents.

mintd takes them for its own: minting a million over HTTP would take longer than measuring with them.
"""
import binascii
import hashlib
import json
import os
import subprocess
import time

CLIENT = "billing-service"
SECRET = "a secret for the bench alone, of more than 128 bits: 51c0c9d3f7b8"
SCOPE = "read write"
LIFE = 3600
GENERATION = 7

_DIGITS = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# 256 is no multiple of 62: the first digits come a little more often, which nothing here minds.
_TO_DIGITS = bytes(_DIGITS[byte % 62] for byte in range(256))
_RANDOM = 43
_BATCH = 10000


def _checksum(text):
    number, digits = binascii.crc32(text), bytearray(6)
    for place in range(5, -1, -1):
        number, digit = divmod(number, 62)
        digits[place] = _DIGITS[digit]
    return bytes(digits)


def make(count):
    """That many tokens, each 53 bytes."""
    digits = os.urandom(_RANDOM * count).translate(_TO_DIGITS)
    texts = (b"mtd_" + digits[at:at + _RANDOM] for at in range(0, len(digits), _RANDOM))
    return [text + _checksum(text) for text in texts]


def record(now):
    return json.dumps({"client": CLIENT, "scope": SCOPE, "aud": "", "iat": now, "exp": now + LIFE,
                       "gen": GENERATION, "ggen": 0}, separators=(",", ":")).encode()


def key_of(token):
    return b"mintd:token:" + hashlib.sha256(token).hexdigest()[:32].encode()


def install_client(redis):
    """The client whose tokens these are, with a secret that costs one SHA-256."""
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    redis.cli("HSET", "mintd:client:" + CLIENT, "secret:1", "$sha256$" + digest, "scope", SCOPE,
              "ttl", LIFE, "gen", GENERATION)
    redis.cli("SADD", "mintd:clients", CLIENT)


def write(redis, tokens):
    """SETEX of all of them, through redis-cli --pipe."""
    value = record(int(time.time()))
    tail = b"\r\n$%d\r\n%d\r\n$%d\r\n%s\r\n" % (len(str(LIFE)), LIFE, len(value), value)
    head = b"*4\r\n$5\r\nSETEX\r\n$44\r\n"
    pipe = subprocess.Popen(["redis-cli", "-s", redis.socket_path, "--pipe"], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    for at in range(0, len(tokens), _BATCH):
        pipe.stdin.write(b"".join(head + key_of(token) + tail for token in tokens[at:at + _BATCH]))
    output = pipe.communicate()[0].decode()
    assert pipe.returncode == 0 and "errors: 0, replies: %d" % len(tokens) in output, output
