"""What the line `token minted` costs a mint: instructions of the worker's thread and of the log's, as callgrind
counts them. The kernel's part is in what script/bench measures with the log and without."""
from request_cost import CLIENT, install_client, run
from support.redis_server import RedisServer

FEW, MANY, AT_ONCE = 200, 1800, 8
# 5 % of a mint when it took 44,000 (November 2026); a mint that takes fewer does not make its line dearer.
ALLOWED = 2200


def test_a_line_costs_a_mint_little():
    with RedisServer() as redis:
        install_client(redis, CLIENT)
        logged, silent = (
            (run(redis, kind, MANY, at_once=AT_ONCE)[0] - run(redis, kind, FEW, at_once=AT_ONCE)[0]) / (MANY - FEW)
            for kind in ("mint", "silent-mint"))
    line = logged - silent
    print("a mint: %.0f instructions, its line %.0f: %.1f %%" % (silent, line, line / silent * 100))
    # Far less would mean that nothing was logged.
    assert 500 < line <= ALLOWED
