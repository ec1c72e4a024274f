"""What G-16, G-25 and G-28 have to convict."""
import os
import random

import tokens
from stage import Stage
from support.clients import bearer, token_of
from support.http import request_bytes


def test_what_is_not_random():
    good = os.urandom(200_000)
    biased = bytes(byte | 1 if at % 20 == 0 else byte for at, byte in enumerate(good))
    assert max(*tokens.unevenness(good), tokens.correlation(good)) < 5
    assert max(tokens.unevenness(biased)) > 5
    assert tokens.correlation(bytes(byte for byte in good[:100_000] for _ in range(2))) > 5
    pool = tokens.Pool()
    for token in (b"mtd_" + b"A" * 43, b"mtd_" + b"A" * 42 + b"B", b"mtd_" + b"A" * 43):
        pool.add(token)
    assert (pool.count(), pool.duplicates()) == (3, 1)


def test_a_hit_is_seen():
    with Stage() as stage:
        mintd = stage.quiet_mintd("--log-level", "error")
        live = request_bytes("GET", "/secret", [bearer(token_of(mintd))]), None
        statuses = tokens.guesses(mintd, [*tokens.made_up(random.Random(1), 50), live])
    assert statuses == {401: 50, 200: 1}
