"""Whose word about the client's address counts, and how addresses are read and counted: B-04,
--trusted-proxies, --failure-limit-v6-prefix; F-04, F-12, F-36, N-09."""
import itertools

import pytest

from support import http
from support.clients import G, basic
from support.http import form_request
from support.mintctl import Mintctl
from support.mintd import Mintd, run
from support.oauth import check_err, check_tok, make_client, row, rows, unique, wait_until

LIMIT = 3
PEER = "127.0.0.1"
_numbers = itertools.count(1)


def fresh():
    """An address that no test had before (TEST-NET-2 and -3 are small)."""
    number = next(_numbers)
    return "198.18.%d.%d" % (number // 250, number % 250 + 1)


@pytest.fixture(scope="module")
def instances(redis):
    """By what they trust: nothing, this host, a network of which this host is part, v6 and more."""
    trusts = {"nobody": None, "host": "127.0.0.1", "network": "127.0.0.0/8 10.0.0.0/8 2001:db8::/32 ::1",
              "others": "10.0.0.0/8 127.0.0.2 ::1 unix", "everybody": "0.0.0.0/0,::/0"}
    started = {}
    for name, networks in trusts.items():
        arguments = ["--failure-limit", str(LIMIT)] + (["--trusted-proxies", networks] if networks else [])
        started[name] = Mintd(*arguments, redis=redis)
    for instance in started.values():
        instance.wait_for_store()
    yield started
    for instance in started.values():
        instance.stop()


@pytest.fixture
def client(redis):
    name = unique("proxied")
    make_client(redis, name, scope="read")
    yield name
    redis.cli("DEL", "mintd:client:" + name, *redis.keys("mintd:fail:*"))


def guess(instance, name, *fields, secret="wrong", source=PEER, address=None):
    raw = form_request("/token", G, [basic(name, secret), *fields])
    return http.exchange(address or instance.address, raw, source=source)


def forwarded(*values):
    return [("X-Forwarded-For", value) for value in values]


def counted(redis, name):
    """The addresses that failures of this client stand under."""
    prefix = "mintd:fail:%s:" % name
    return [key[len(prefix):] for key in redis.keys(prefix + "*")]


def told(instance, mark, name):
    return instance.wait_for_log("refused", since=mark, client=name)["peer"]


def address_of(instance, redis, name, *fields, source=PEER, address=None):
    """The address that a failure counts for; the log names the peer, whatever was forwarded."""
    mark = instance.mark()
    check_err(guess(instance, name, *fields, source=source, address=address), 401, "invalid_client")
    assert told(instance, mark, name) == (source or "unix")
    found = counted(redis, name)
    assert len(found) == 1, found
    return found[0]


# ---- untrusted ----


@rows("B-04", one=forwarded("198.51.100.7"), two=forwarded("198.51.100.7, 198.51.100.8"), empty=forwarded(""),
      lines=forwarded("198.51.100.7", "198.51.100.8"), real=[("X-Real-IP", "198.51.100.7")],
      rfc7239=[("Forwarded", "for=198.51.100.7")], ssl=[("X-SSL-Client-Verify", "SUCCESS"), ("X-SSL-Client-S-DN", "CN=x")],
      client=[("X-Client-IP", "198.51.100.7"), ("True-Client-IP", "198.51.100.7"), ("CF-Connecting-IP", "198.51.100.7")],
      loopback=forwarded("127.0.0.1"))
def test_word_of_a_stranger_counts_nothing(instances, redis, client, case):
    for trusting in ("nobody", "others"):
        redis.cli("DEL", *redis.keys("mintd:fail:*"), "mintd:none")
        assert address_of(instances[trusting], redis, client, *case) == PEER


@row("B-04")
def test_a_stranger_does_not_get_around_the_limit(instances, client):
    for trusting in ("nobody", "others"):
        source = fresh().replace("198.18", "127.36")
        answers = [guess(instances[trusting], client, *forwarded(fresh()), source=source).status
                   for _ in range(4 * LIMIT)]
        assert answers == [401] * LIMIT + [429] * 3 * LIMIT, answers


@rows("B-04", real=("X-Real-IP", "198.51.100.7"), client=("X-Client-IP", "198.51.100.7"), cluster=("X-Cluster-Client-IP", "198.51.100.7"),
      original=("X-Original-Forwarded-For", "198.51.100.7"), longer=("X-Forwarded-For2", "198.51.100.7"),
      forwarded_for=("Forwarded-For", "198.51.100.7"))
def test_other_fields_count_nothing_from_a_proxy_either(instances, redis, client, case):
    assert address_of(instances["host"], redis, client, case) == PEER


# ---- trusted ----


@rows("PROXY", host="host", network="network")
def test_word_of_a_proxy_counts(instances, redis, client, case):
    address = fresh()
    assert address_of(instances[case], redis, client, *forwarded(address)) == address


@row("PROXY")
def test_other_sources_than_the_trusted_one(instances, redis, client):
    address = fresh()
    assert address_of(instances["others"], redis, client, *forwarded(address), source="127.0.0.2") == address
    redis.cli("DEL", *redis.keys("mintd:fail:*"))
    assert address_of(instances["host"], redis, client, *forwarded(fresh()), source="127.0.0.2") == "127.0.0.2"


@rows("PROXY", one="%(client)s", forged="203.0.113.9, %(client)s", more="1.1.1.1, 2.2.2.2, 3.3.3.3, %(client)s",
      hop="203.0.113.9, %(client)s, 10.1.2.3", hops="%(client)s, 10.1.2.3, 127.0.0.9, 2001:db8::7",
      forged_hop="10.9.9.9, %(client)s, 10.1.2.3", tight="203.0.113.9,%(client)s,10.1.2.3",
      wide="  203.0.113.9  ,\t %(client)s  , 10.1.2.3  ", garbage="x, ' OR 1=1, %(client)s",
      long=", ".join(["203.0.113.9"] * 300) + ", %(client)s")
def test_the_last_address_that_is_no_proxy_is_the_client(instances, redis, client, case):
    """What stands left of it is the client's own word."""
    address = fresh()
    assert address_of(instances["network"], redis, client, *forwarded(case % {"client": address})) == address


@row("PROXY")
def test_several_lines_are_one_list(instances, redis, client):
    address = fresh()
    fields = forwarded("203.0.113.9", "%s, 10.1.1.1" % address, "10.2.2.2")
    assert address_of(instances["network"], redis, client, *fields) == address
    redis.cli("DEL", *redis.keys("mintd:fail:*"))
    fields = forwarded(address, "203.0.113.9")
    assert address_of(instances["network"], redis, client, *fields) == "203.0.113.9"


@rows("PROXY", none=[], empty=forwarded(""), comma=forwarded(","), blanks=forwarded(" , , "), words=forwarded("unknown"),
      hidden=forwarded("_hidden"), number=forwarded("42"), too_big=forwarded("256.1.1.1"), short=forwarded("10.1"),
      mask=forwarded("198.51.100.0/24"), key=forwarded("a:b:c"), crlf=forwarded("1.2.3.4%0d%0a"),
      octal=forwarded("010.0.0.1"), hexa=forwarded("0x7f.1"), long=forwarded("9" * 500), star=forwarded("*"),
      after_client=forwarded("198.51.100.7, x"), bytes=forwarded(b"\xff\xfe"), zone=forwarded("fe80::1%eth0"))
def test_what_is_no_address_is_the_proxys(instances, redis, client, case):
    """The proxy that sent it is all that is known; no key is made of what is no address."""
    assert address_of(instances["host"], redis, client, *case) == PEER


SPELLINGS = {  # what a proxy writes: whom the failure counts for, what the log says
    "203.0.113.7:51234": ("203.0.113.7", "203.0.113.7"),
    "203.0.113.7:_hidden": ("203.0.113.7", "203.0.113.7"),
    '"203.0.113.7"': ("203.0.113.7", "203.0.113.7"),
    '"203.0.113.7:443"': ("203.0.113.7", "203.0.113.7"),
    "::ffff:203.0.113.9": ("203.0.113.9", "203.0.113.9"),
    "::FFFF:cb00:7109": ("203.0.113.9", "203.0.113.9"),
    "[::ffff:203.0.113.9]:443": ("203.0.113.9", "203.0.113.9"),
    "2001:DB9::1": ("2001:db9::/64", "2001:db9::1"),
    "2001:db9:0::1": ("2001:db9::/64", "2001:db9::1"),
    "2001:0db9:0000:0000:0000:0000:0000:0001": ("2001:db9::/64", "2001:db9::1"),
    "[2001:db9::1]": ("2001:db9::/64", "2001:db9::1"),
    "[2001:db9::1]:443": ("2001:db9::/64", "2001:db9::1"),
    '"[2001:db9:0:0:1::]:443"': ("2001:db9::/64", "2001:db9:0:0:1::"),
}


@pytest.mark.parametrize("style", ["x-forwarded-for", "forwarded"])
@pytest.mark.parametrize("case", [pytest.param(spelling, id="F-04-F-36-" + spelling) for spelling in SPELLINGS])
def test_every_spelling_is_one_address(instances, redis, client, case, style):
    field = ("X-Forwarded-For", case) if style == "x-forwarded-for" else ("Forwarded", "for=" + case)
    mark = instances["host"].mark()
    counts_for, named = SPELLINGS[case]
    assert address_of(instances["host"], redis, client, field) == counts_for
    assert instances["host"].wait_for_log("refused", since=mark, client=client)["address"] == named


@rows("F-04", azure="203.0.113.%d:51234", brackets="[2001:db9:%d::1]:443", quoted='"203.0.113.%d"')
def test_callers_with_ports_do_not_lock_each_other_out(instances, client, case):
    """As the row has it: one fails too often, another with the right secret is let in."""
    number = next(_numbers) % 100 + 100
    for port in range(4 * LIMIT):
        guess(instances["host"], client, *forwarded((case % number).replace("51234", str(50000 + port))))
    assert guess(instances["host"], client, *forwarded(case % number), secret="s-3cret").status == 429
    check_tok(guess(instances["host"], client, *forwarded(case % (number + 1)), secret="s-3cret"), "/token")


@row("F-12")
def test_a_network_of_ipv6_is_counted_as_one(instances, redis, client):
    """239 wrong secrets, each from another address of one /64."""
    network = "2001:db9:%x" % next(_numbers)
    answers = [guess(instances["host"], client, *forwarded("%s::%x" % (network, host))).status
               for host in range(1, 240)]
    assert answers == [401] * LIMIT + [429] * (239 - LIMIT)
    assert counted(redis, client) == [network + "::/64"]
    assert guess(instances["host"], client, *forwarded(network + "::ffff"), secret="s-3cret").status == 429
    check_tok(guess(instances["host"], client, *forwarded(network + ":1::1"), secret="s-3cret"), "/token")


@pytest.mark.parametrize("bits, counts_for", [
    pytest.param("48", "2001:db9:1::/48", id="F-12-48"), pytest.param("56", "2001:db9:1:200::/56", id="F-12-56"),
    pytest.param("128", "2001:db9:1:2ff::7", id="F-12-128"), pytest.param(None, "2001:db9:1:2ff::/64", id="F-12-64")])
def test_how_much_of_ipv6_is_one_can_be_said(redis, start_mintd, client, bits, counts_for):
    arguments = ["--failure-limit-v6-prefix", bits] if bits else []
    instance = start_mintd("--failure-limit", "3", "--trusted-proxies", "127.0.0.1", *arguments, redis=redis)
    instance.wait_for_store()
    assert address_of(instance, redis, client, *forwarded("2001:db9:1:2ff::7")) == counts_for
    redis.cli("DEL", *redis.keys("mintd:fail:*"))
    assert address_of(instance, redis, client, *forwarded("203.0.113.7")) == "203.0.113.7"


@row("F-12")
def test_a_peer_without_a_proxy_is_counted_with_its_network(redis, start_mintd, client):
    instance = start_mintd("--failure-limit", "3", redis=redis, listen=("[::1]:0",))
    instance.wait_for_store()
    mark = instance.mark()
    check_err(guess(instance, client, source="::1"), 401, "invalid_client")
    assert counted(redis, client) == ["::/64"]
    line = instance.wait_for_log("refused", since=mark, client=client)
    assert (line["address"], line["peer"]) == ("::1", "::1")


@row("F-36")
def test_a_proxy_that_a_listener_of_both_families_sees(redis, start_mintd, client):
    """The peer is ::ffff:127.0.0.1 there, and is in 127.0.0.0/8."""
    instance = start_mintd("--failure-limit", "3", "--trusted-proxies", "127.0.0.0/8", redis=redis,
                           listen=("[::]:0",))
    port = int(instance.find_log("listening")[0]["address"].rpartition(":")[2])
    instance.wait_for_store()
    address = fresh()
    assert address_of(instance, redis, client, *forwarded(address), address=("127.0.0.1", port)) == address


# ---- Forwarded (RFC 7239) ----


def rfc7239(*values):
    return [("Forwarded", value) for value in values]


@rows("RFC-7239", one="for=%s", upper="FOR=%s", quoted='for="%s:4711"', more="for=%s;proto=https;by=203.0.113.43",
      last="proto=https;host=\"a, b;c\" ; for=%s", forged="for=203.0.113.9, for=%s",
      hops='for=%s, for=10.1.2.3;by=_x, for="[2001:db8::7]:443"', empty="for=%s, , for=10.1.2.3,",
      open_quote='for="x, for=%s', escaped='for="1.1.1.1\\", for=%s')
def test_forwarded_counts_where_the_other_field_is_not_given(instances, redis, client, case):
    address = fresh()
    assert address_of(instances["network"], redis, client, *rfc7239(case % address)) == address


@rows("RFC-7239", unknown="for=unknown", hidden="for=_SEVKISEK", quoted='for="_gazonk"', none="proto=https",
      words="for", empty="for=", twice="for=203.0.113.7;for=203.0.113.7", open_quote='for="203.0.113.7',
      bare="203.0.113.7", before="for=203.0.113.9, for=unknown", bytes=b"for=\xff", blank="", zone="for=fe80::1%eth0")
def test_forwarded_without_an_address_is_the_proxys(instances, redis, client, case):
    assert address_of(instances["host"], redis, client, *rfc7239(case)) == PEER


@row("RFC-7239")
def test_forwarded_is_one_list_on_several_lines(instances, redis, client):
    address = fresh()
    fields = rfc7239("for=203.0.113.9", "for=%s, for=10.1.1.1" % address, "for=10.2.2.2")
    assert address_of(instances["network"], redis, client, *fields) == address


@row("RFC-7239")
def test_x_forwarded_for_comes_first(instances, redis, client):
    address = fresh()
    fields = [*rfc7239("for=203.0.113.9"), *forwarded(address), *rfc7239("for=203.0.113.8")]
    assert address_of(instances["host"], redis, client, *fields) == address
    redis.cli("DEL", *redis.keys("mintd:fail:*"))
    assert address_of(instances["host"], redis, client, *forwarded("unknown"), *rfc7239("for=203.0.113.9")) == PEER


# ---- a proxy that nobody named ----

UNTRUSTED = "X-Forwarded-For or Forwarded comes from an address that is not trusted"


def warnings(instance):
    return [line for line in instance.log if line["message"].startswith(UNTRUSTED)]


@rows("N-09", x_forwarded_for=forwarded("198.51.100.7"), forwarded=rfc7239("for=198.51.100.7"))
def test_word_of_a_proxy_that_is_not_trusted_is_told_once(redis, start_mintd, client, case):
    for trusted in ([], ["--trusted-proxies", "10.0.0.0/8"]):
        instance = start_mintd(*trusted, redis=redis, workers=2)
        instance.wait_for_store()
        guess(instance, client)
        assert warnings(instance) == []
        for _ in range(10):
            guess(instance, client, *case)
            guess(instance, client, *case, secret="s-3cret")
        wait_until(lambda: warnings(instance), 10, "the warning is there")
        line, = warnings(instance)
        assert line["level"] == "warning" and line["peer"] == PEER
        assert "--trusted-proxies" in line["message"]


ANY = {"secret": ("GET", "/secret"), "verify": ("GET", "/verify"), "below": ("POST", "/verify/x"), "ready": ("GET", "/readyz"),
       "metadata": ("GET", "/.well-known/oauth-authorization-server"), "nowhere": ("GET", "/nowhere"),
       "options": ("OPTIONS", "/token"), "method": ("GET", "/token")}


@rows("N-09", **ANY)
def test_word_of_a_proxy_is_told_whatever_it_asks_for(redis, start_mintd, case):
    instance = start_mintd(redis=redis)
    instance.request(*case)
    assert warnings(instance) == []
    for fields in (forwarded("198.51.100.7"), rfc7239("for=198.51.100.7")):
        instance.request(*case, fields)
    wait_until(lambda: warnings(instance), 10, "the warning is there")
    line, = warnings(instance)
    assert line["peer"] == PEER


@row("N-09")
def test_doctor_tells_of_a_proxy_that_is_not_trusted(own_redis, start_mintd):
    """The instance's heartbeat carries it."""
    instance = start_mintd("--failure-limit", "3", redis=own_redis, name="astray")
    instance.wait_for_store()
    doctor = Mintctl(own_redis)

    def findings():
        return [found for found in doctor.json("doctor", status=1)["findings"] if found["check"] == "proxy"]

    assert findings() == []
    guess(instance, "svc-a", *forwarded("198.51.100.7"))
    wait_until(findings, 15, "the heartbeat tells it")
    found, = findings()
    assert found["result"] == "warning" and "astray" in found["text"], found
    assert "--trusted-proxies" in found["advice"], found


@row("N-09")
def test_word_of_a_trusted_proxy_is_no_reason_to_warn(redis, start_mintd, client):
    instance = start_mintd("--trusted-proxies", "127.0.0.1", redis=redis)
    instance.wait_for_store()
    guess(instance, client, *forwarded("198.51.100.7"))
    instance.wait_for_log("refused", client=client)
    assert warnings(instance) == []


@row("PROXY")
def test_only_proxies_all_the_way(instances, redis, client):
    found = address_of(instances["network"], redis, client, *forwarded("10.1.1.1, 10.2.2.2"))
    assert found in ("10.1.1.1", PEER), found


@rows("PROXY", short="2001:db9::7", loopback="::ffff:198.51.100.7", full="2001:0db9:0000:0000:0000:0000:0000:0007",
      upper="2001:DB9::7")
def test_ipv6(instances, redis, client, case):
    found = address_of(instances["host"], redis, client, *forwarded(case))
    assert ":" in found or found == "198.51.100.7", found


@row("PROXY")
def test_everybody_is_trusted(instances, redis, client):
    """Then the whole list is the proxies' word, and its first address may be the client."""
    found = address_of(instances["everybody"], redis, client, *forwarded("203.0.113.9"))
    assert found in ("203.0.113.9", PEER), found


# ---- what it is for ----


@row("B-04")
def test_each_client_behind_a_proxy_has_its_own_limit(instances, client):
    bad, good = fresh(), fresh()
    for _ in range(LIMIT):
        check_err(guess(instances["host"], client, *forwarded(bad)), 401, "invalid_client")
    for secret in ("wrong", "s-3cret"):
        response = guess(instances["host"], client, *forwarded(bad), secret=secret)
        assert response.status == 429, response
    check_tok(guess(instances["host"], client, *forwarded(good), secret="s-3cret"), "/token")
    check_tok(guess(instances["host"], client, secret="s-3cret"), "/token")


@row("B-04")
def test_a_client_behind_a_proxy_does_not_get_around_the_limit(instances, client):
    """It may write what it likes in front of what the proxy adds."""
    mine = fresh()
    answers = [guess(instances["host"], client, *forwarded("%s, %s" % (fresh(), mine))).status
               for _ in range(4 * LIMIT)]
    assert answers == [401] * LIMIT + [429] * 3 * LIMIT, answers


@row("B-04")
def test_on_one_connection_each_request_has_its_own_address(instances, redis, client):
    one, other = fresh(), fresh()
    with http.Connection(instances["host"].address, source=PEER) as connection:
        for fields in (forwarded(one), [], forwarded(other)):
            connection.send(form_request("/token", G, [basic(client, "wrong"), *fields]))
            assert connection.read_response().status == 401
    assert sorted(counted(redis, client)) == sorted([one, other, PEER])


@row("PROXY")
def test_unix_socket(redis, start_mintd, client, tmp_path):
    trusting, other = str(tmp_path / "t"), str(tmp_path / "o")
    a = start_mintd("--failure-limit", "3", "--trusted-proxies", "unix", redis=redis, listen=("unix:" + trusting,))
    b = start_mintd("--failure-limit", "3", "--trusted-proxies", "127.0.0.1", redis=redis, listen=("unix:" + other,))
    for instance in (a, b):
        instance.wait_for_store()
    address = fresh()
    assert address_of(a, redis, client, *forwarded(address), source=None, address=trusting) == address
    redis.cli("DEL", *redis.keys("mintd:fail:*"))
    assert address_of(b, redis, client, *forwarded(fresh()), source=None, address=other) == "unix"


@rows("B-04", token="/secret", verify="/verify")
def test_the_log_marks_the_peer(instances, case):
    for instance in instances.values():
        name = unique("b-04")
        instance.request("GET", case, [("X-Request-Id", name), *forwarded("198.51.100.77")])
        assert instance.wait_for_log("refused", request_id=name)["peer"] == PEER


# ---- the flag ----


@rows("FLAG", networks="10.0.0.0/8 192.168.0.0/16", v6="::1 2001:db8::/32", unix="unix", commas="10.0.0.0/8,::1",
      one="192.0.2.7", all="0.0.0.0/0 ::/0", mapped="::ffff:10.0.0.0/104", brackets="[::1] [2001:db8::]/32", most=" ".join(["10.0.0.0/8"] * 32))
def test_networks(case):
    assert run("--check", "--trusted-proxies", case).returncode == 0
    assert run("--check", env={"MINTD_TRUSTED_PROXIES": case}).returncode == 0


@rows("FLAG", word="localhost", bits="10.0.0.0/33", bits_6="::/129", no_bits="10.0.0.0/", negative="10.0.0.0/-1",
      short="10.0.0", port="10.0.0.1:80", unix="unix/8", one_of_two="10.0.0.0/8 x", big="256.0.0.0/8",
      many=" ".join(["10.0.0.0/8"] * 33), plus="10.0.0.0/+8", zone="fe80::1%lo", bracket_port="[::1]:80",
      bracket="[::1", mapped="::ffff:10.0.0.0/95")
def test_no_networks(case):
    done = run("--check", "--trusted-proxies", case)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "--trusted-proxies" in done.stderr, done


@rows("FLAG", zero="0", over="129", word="x", empty="", negative="-1", mask="/64")
def test_no_prefix(case):
    done = run("--check", "--failure-limit-v6-prefix", case)
    assert done.returncode == 2 and "--failure-limit-v6-prefix" in done.stderr and "1 to 128" in done.stderr, done
