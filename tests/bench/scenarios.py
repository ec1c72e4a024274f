"""Scenarios of load: each starts its servers, lets them take turns, and gives rows by title."""
import dataclasses
import os
import statistics
import time

import exchange
import tokens
from exchange import Request, bearer, form
from load import HandshakeTarget, RedisTarget, Target, medians
from peers import Express, Mintd, Nginx, Webdis
from plan import Stage
from processes import ALL_CORES, BenchError, SERVER_CORES

SECRET_ANSWER = '{"message":"Welcome to the secret area!","client":{"id":"%s"}' % tokens.CLIENT
MINT_BODY = "grant_type=client_credentials"
VALUE = "v" * 180
PIPELINE = 16
WARM_UP_PIPELINE = 16
# More than the smallest cache holds, by far: each comes again long after it was evicted.
MANY_TOKENS, SMALL_CACHE = 100000, "1m"
# Under load a slow answer shall be seen as one, and not as a 503 after the 250 ms of the default.
PATIENT = ("--redis-timeout", "10000")
# Nothing in a run is a warning.
QUIET = ("--log-level", "warning")
# All of them come from one address.
CROWDED = ("--max-connections", "12000", "--max-connections-per-address", "0", "--max-handshakes-per-address", "0")
COLD_TOKENS, COLD_LATER = 10000, 3


def live_token(redis):
    token = tokens.make(1)[0]
    tokens.write(redis, [token])
    return token


def secret(token):
    return bearer("/secret", token, SECRET_ANSWER)


def verify(token):
    return bearer("/verify", token, "X-Auth-Client-Id: " + tokens.CLIENT)


def introspect(token):
    return form("/introspect", "token=" + token.decode(), '"active":true')


def mint():
    return form("/auth", MINT_BODY, '"access_token":"mtd_')


def constant(stage, mintd, token, **more):
    """nginx with the very body that mintd answers /secret with."""
    body = exchange.ask(mintd, secret(token))[1].partition(b"\r\n\r\n")[2].decode()
    return stage.start(Nginx, body, **more)


def cached(plan):
    """Both with their logs: nginx writes a line for each request, mintd where it is told to."""
    with Stage() as stage:
        redis = stage.redis()
        token = live_token(redis)
        mintd = stage.start(Mintd, redis)
        telling = stage.start(Mintd, redis, "--access-log")
        return plan.take_turns([
            *cached_targets(mintd, constant(stage, mintd, token), token, redis),
            Target("mintd /secret, --access-log", telling, secret(token), redis)])


def cached_quiet(plan):
    with Stage() as stage:
        redis = stage.redis()
        token = live_token(redis)
        mintd = stage.start(Mintd, redis, *QUIET)
        return plan.take_turns(cached_targets(mintd, constant(stage, mintd, token, log=False), token, redis))


def cached_targets(mintd, nginx, token, redis):
    return [Target("nginx, constant answer", nginx, secret(token)),
            Target("mintd /secret", mintd, secret(token), redis),
            Target("mintd /verify", mintd, verify(token), redis),
            Target("mintd /introspect", mintd, introspect(token), redis)]


def secure(plan):
    """TLS 1.3 with the same certificate (ECDSA P-256), on connections that stay."""
    with Stage() as stage:
        redis, certificate = stage.redis(), stage.certificate()
        token = live_token(redis)
        mintd = stage.start(Mintd, redis, *PATIENT, certificate=certificate)
        nginx = constant(stage, mintd, token, certificate=certificate)
        return plan.take_turns([Target("nginx, constant answer", nginx, secret(token)),
                                Target("mintd /secret", mintd, secret(token), redis),
                                Target("mintd /auth", mintd, mint(), redis)])


def handshakes(plan):
    with Stage() as stage:
        redis, certificate = stage.redis(), stage.certificate()
        token = live_token(redis)
        mintd = stage.start(Mintd, redis, *PATIENT, "--max-handshakes-per-address", "0", certificate=certificate)
        nginx = constant(stage, mintd, token, certificate=certificate)
        return plan.take_turns([
            HandshakeTarget("%s, %s" % (name, kind), server, secret(token), kind=kind)
            for kind in ("full", "resumed") for name, server in (("nginx", nginx), ("mintd", mintd))])


def express_token(express):
    """One that it has minted itself."""
    answer = exchange.ask(express, form("/auth", MINT_BODY, ""))[1].decode()
    _, found, rest = answer.partition('"accessToken":"')
    if not found:
        raise BenchError("Express minted no token: " + answer[:300])
    return rest.partition('"')[0].encode()


def uncached(plan):
    with Stage() as stage:
        redis, alone = stage.redis(), stage.redis(cores=SERVER_CORES)
        for each in (redis, alone):
            each.cli("SET", "bench:value", VALUE)
        token, many = live_token(redis), tokens.make(MANY_TOKENS)
        tokens.write(redis, many)
        mintd = stage.start(Mintd, redis, *PATIENT, "--cache-size", "0")
        missing = stage.start(Mintd, redis, *PATIENT, "--cache-size", SMALL_CACHE)
        webdis, express = stage.start(Webdis, redis), stage.start(Express, redis)
        return plan.take_turns([
            RedisTarget("Redis alone, GET", alone, ("GET", "bench:value")),
            Target("webdis GET", webdis, Request("/GET/bench:value.txt", expected=VALUE), redis),
            Target("mintd /secret, no cache", mintd, secret(token), redis),
            Target("mintd /verify, no cache", mintd, verify(token), redis),
            asking_with_each("mintd /secret, no cache, %d tokens" % MANY_TOKENS, mintd, redis, many),
            asking_with_each("mintd /secret, too small a cache, %d tokens" % MANY_TOKENS, missing, redis, many),
            Target("Express /secret", express,
                   bearer("/secret", express_token(express), "Welcome to the secret area!"), redis)])


def minting(plan):
    with Stage() as stage:
        redis, alone = stage.redis(), stage.redis(cores=SERVER_CORES)
        mintd, quiet = stage.start(Mintd, redis), stage.start(Mintd, redis, *QUIET)
        express = stage.start(Express, redis)
        return plan.take_turns([
            RedisTarget("Redis alone, SETEX", alone,
                        ("SETEX", "bench:__rand_int__", str(tokens.LIFE), VALUE)),
            webdis_setex(stage, redis),
            Target("mintd /auth", mintd, mint(), redis),
            Target("mintd /auth, no log", quiet, mint(), redis),
            Target("Express /auth", express, form("/auth", MINT_BODY, '"accessToken":"'), redis)])


def webdis_setex(stage, redis):
    """A new key each time, as a mint makes one."""
    setex = "/SETEX/%s/%d/" + VALUE
    return Target("webdis SETEX", stage.start(Webdis, redis),
                  Request(setex % ("COUNTER", tokens.LIFE), expected="OK"), redis,
                  settings={"BENCH_COUNTER": "bench:"},
                  probe=Request(setex % ("bench:probe", tokens.LIFE), expected="OK"))


def cold(plan):
    """A new instance is asked at once with each of many tokens, none of which it has in memory."""
    texts = tokens.make(COLD_TOKENS)
    title = "mintd /secret, %d tokens" % COLD_TOKENS
    rounds = []
    with Stage() as stage:
        redis = stage.redis()
        tokens.write(redis, texts)
        for number in range(plan.rounds):
            plan.look_at_phase()
            mintd = stage.start(Mintd, redis, *PATIENT)
            target = asking_with_each(title, mintd, redis, texts)
            speeds = [counted["requests"] / counted["seconds"]
                      for counted in (target.load(1) for _ in range(2 + COLD_LATER))]
            mintd.stop()
            rounds.append({"first": speeds[0], "second": speeds[1], "later": statistics.median(speeds[2:])})
            plan.say("  round %d: %-34s %s requests/s by seconds"
                     % (number + 1, title, ", ".join("%.0f" % speed for speed in speeds)))
    return {title: medians(rounds)}


def topologies(plan):
    """The same mint, and the same validation without a cache, on each form of Redis."""
    with Stage() as stage:
        secure = stage.redis_over_tls()
        forms = {"one Redis": (stage.redis(), ()), "TLS to one Redis": (secure, ("--redis-ca", secure.authority)),
                 "behind Sentinels": (stage.redis_behind_sentinels(), ()),
                 "cluster of 3": (stage.redis_cluster(3), ()), "cluster of 6": (stage.redis_cluster(6), ())}
        targets = []
        for name, (redis, options) in forms.items():
            targets.append(Target("mintd /auth, " + name, stage.start(Mintd, redis, *options, *PATIENT), mint(), redis))
        for name in ("one Redis", "cluster of 3", "cluster of 6"):
            redis, options = forms[name]
            token = tokens.make(1)[0]
            redis.cli("SETEX", tokens.key_of(token), tokens.LIFE, tokens.record(int(time.time())))
            targets.append(Target("mintd /secret, no cache, " + name,
                                  stage.start(Mintd, redis, *options, *PATIENT, "--cache-size", "0"),
                                  secret(token), redis))
        return plan.take_turns(targets)


def two_workers(plan):
    """One core for a worker and its load, and two cores for two of each: what the second one brings."""
    with Stage() as stage:
        redis = stage.redis(cores=ALL_CORES)
        token = live_token(redis)
        targets = []
        for count, cores in ((1, SERVER_CORES), (2, ALL_CORES)):
            mintd = stage.start(Mintd, redis, *PATIENT, workers=count, cores=cores)
            nginx = constant(stage, mintd, token, workers=count, cores=cores)
            where = "%d on %d" % (count, len(cores))
            targets += [Target("nginx, " + where, nginx, secret(token), is_beside=True),
                        Target("mintd /secret, " + where, mintd, secret(token), redis, is_beside=True),
                        Target("mintd /auth, " + where, mintd, mint(), redis, is_beside=True)]
        return plan.take_turns(targets)


def connections(plan):
    with Stage() as stage:
        redis = stage.redis()
        token = live_token(redis)
        mintd = stage.start(Mintd, redis, *PATIENT, *CROWDED)
        nginx = constant(stage, mintd, token)
        targets = []
        for count in plan.connection_counts:
            for name, server, counted in (("nginx", nginx, None), ("mintd", mintd, redis)):
                targets.append(Target("%s, %d connections" % (name, count), server, secret(token), counted,
                                      connections=count))
        return plan.take_turns(targets)


def pipelined(plan):
    with Stage() as stage:
        redis = stage.redis()
        token = live_token(redis)
        mintd = stage.start(Mintd, redis, *PATIENT)
        nginx = constant(stage, mintd, token)
        targets = []
        for name, server, counted in (("nginx", nginx, None), ("mintd", mintd, redis)):
            targets.append(Target(name + ", one by one", server, secret(token), counted))
            targets.append(Target("%s, %d in a write" % (name, PIPELINE), server, secret(token), counted,
                                  settings={"BENCH_PIPELINE": str(PIPELINE)}))
        return plan.take_turns(targets)


@dataclasses.dataclass
class TokensTarget(Target):
    """Asks with each token of a file in its turn, and goes on where it stopped. is_warm: all are asked with before a
    turn (a copy lives for a minute, and the others' turns take longer)."""

    count: int = 0
    is_warm: bool = False
    first = 0

    def measure(self, seconds):
        if self.is_warm:
            self.use_all_once(seconds_at_most=120)
        return super().measure(seconds)

    def load(self, seconds):
        self.settings["BENCH_FIRST"] = str(self.first)
        counted = super().load(seconds)
        self.first += counted["requests"]
        return counted

    def use_all_once(self, seconds_at_most):
        """Until all tokens of the file have been asked with."""
        self.settings["BENCH_PIPELINE"] = str(WARM_UP_PIPELINE)
        enough = self.first + self.count
        for _ in range(seconds_at_most):
            if self.first >= enough:
                break
            self.load(1)
        else:
            raise BenchError("%s: warming up took too long" % self.title)
        del self.settings["BENCH_PIPELINE"]


def asking_with_each(title, mintd, redis, texts, is_warm=False):
    path = os.path.join(mintd.folder, "tokens")
    with open(path, "wb") as file:
        file.writelines(texts)
    return TokensTarget(title, mintd, bearer("/secret", b"TOKEN", SECRET_ANSWER), redis,
                        settings={"BENCH_TOKENS": path}, probe=secret(texts[0]), count=len(texts), is_warm=is_warm)


def live_tokens(plan):
    """Each number of tokens has a Redis and a mintd of its own, so that they can take turns. In the
    order of their making the tokens are random: each request asks with another one than the last."""
    texts = tokens.make(max(plan.token_counts))
    with Stage() as stage:
        targets = []
        for count in plan.token_counts:
            redis = stage.redis()
            tokens.write(redis, texts[:count])
            mintd = stage.start(Mintd, redis, *PATIENT, "--cache-size", "1024m")
            title = "mintd /secret, %d tokens" % count
            targets.append(asking_with_each(title, mintd, redis, texts[:count], is_warm=True))
        return plan.take_turns(targets)
