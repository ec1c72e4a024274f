"""Clients: tokens are minted, used everywhere, ended, and used again."""
import asyncio
import base64
import collections
import json
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from history import EVERYBODY, INSPECTOR, Ask, Change  # noqa: E402
from support.clients import token_key  # noqa: E402
from support.oauth import BASE62, checksum  # noqa: E402
from wire import HttpConnection, Lost  # noqa: E402

CLIENTS = ["client-%d" % number for number in range(8)]
CONNECTIONS = 8  # to each instance: so many that every worker has some
LIVES, USERS = 6, 12
POOL = 300  # tokens that are used at random, the dead among them


def secret_of(client, number):
    return "secret-%d-of-%s" % (number, client)


def _basic(client, number):
    return base64.b64encode(("%s:%s" % (client, secret_of(client, number))).encode()).decode()


def _form(target, client, body, number=0):
    return ("POST %s HTTP/1.1\r\nHost: h\r\nAuthorization: Basic %s\r\nContent-Type: "
            "application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s"
            % (target, _basic(client, number), len(body), body)).encode()


def _bearer(target, token):
    return ("GET %s HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %s\r\n\r\n" % (target, token)).encode()


class Traffic:
    """ports: of the instances. redis: a wire.Redis. All that happens goes into the history."""

    def __init__(self, ports, redis, history, seed):
        self.ports, self.redis, self.history = ports, redis, history
        self.random = random.Random(seed)
        self._free = [[] for _ in ports]
        self._places = [asyncio.Semaphore(CONNECTIONS) for _ in ports]
        self._pool = collections.deque(maxlen=POOL)
        self._client_of = {}
        self.secrets = collections.Counter()  # of each client: the number of the one that holds
        self.ends = False

    async def start(self):
        for port, free in zip(self.ports, self._free):
            free += [await HttpConnection.open(port) for _ in range(CONNECTIONS)]

    def close(self):
        for free in self._free:
            for connection in free:
                connection.close()

    # ---- one request ----

    async def _exchange(self, instance, raw):
        """(start, end, status or 0, body or why there is none)"""
        free = self._free[instance]
        async with self._places[instance]:
            # Any of them, so that every worker gets every token.
            connection = free.pop(self.random.randrange(len(free)))
            start = time.monotonic()
            try:
                if not connection.is_open:
                    connection = await HttpConnection.open(self.ports[instance])
                    start = time.monotonic()
                status, body = await connection.ask(raw)
            except (Lost, OSError) as problem:
                status, body = 0, str(problem)
            end = time.monotonic()
            free.append(connection)
        if status == 0:
            await asyncio.sleep(0.02)  # else nobody is asked but the instance that is not there
        return start, end, status, body

    def _note(self, op, instance, token, client, exchange, answers, secret=0):
        start, end, status, body = exchange
        if status == 0:
            answer = "none: " + body
        else:
            answer = {503: "unavailable", **answers}.get(status, "status %d" % status)
        self.history.asks.append(Ask(op, instance, token, client, start, end, answer, secret))
        return answer

    def _any(self):
        return self.random.randrange(len(self.ports))

    async def mint(self, client, secret=None, instance=None):
        secret = self.secrets[client] if secret is None else secret
        instance = self._any() if instance is None else instance
        raw = _form("/token", client, "grant_type=client_credentials", secret)
        exchange = await self._exchange(instance, raw)
        token = json.loads(exchange[3])["access_token"] if exchange[2] == 200 else ""
        self._note("mint", instance, token, client, exchange, {200: "yes", 401: "no"}, secret)
        if token:
            self._client_of[token] = client
            self._pool.append(token)
        return token

    async def use(self, token, instance=None):
        instance = self._any() if instance is None else instance
        op = self.random.choices(("secret", "verify", "introspect"), (5, 3, 2))[0]
        client = self._client_of.get(token, "")
        if op != "introspect":
            exchange = await self._exchange(instance, _bearer("/" + op, token))
            return self._note(op, instance, token, client, exchange, {200: "yes", 401: "no"})
        exchange = await self._exchange(instance, _form("/introspect", INSPECTOR, "token=" + token))
        if exchange[2] == 401:  # the inspector is refused; of the token nothing is said
            return self._note("authenticate", instance, "", INSPECTOR, exchange, {401: "no"})
        active = exchange[2] == 200 and json.loads(exchange[3])["active"]
        return self._note(op, instance, token, client, exchange, {200: "yes" if active else "no"})

    async def revoke(self, token, instance):
        """Whether it was acknowledged."""
        client = self._client_of[token]
        secret = self.secrets[client]
        exchange = await self._exchange(instance, _form("/revoke", client, "token=" + token, secret))
        answer = self._note("authenticate", instance, "", client, exchange, {200: "yes", 401: "no"}, secret)
        if answer != "no":
            self.history.changes.append(
                Change("revoke", instance, token, client, exchange[0], exchange[1], answer == "yes"))
        return answer == "yes"

    async def delete(self, token):
        start, acknowledged = time.monotonic(), True
        try:
            await self.redis("DEL", token_key(token))
        except Lost:
            acknowledged = False
        self.history.changes.append(Change("delete", EVERYBODY, token, self._client_of[token], start,
                                           time.monotonic(), acknowledged))
        return acknowledged

    def _forged(self):
        """Of the right form, and never minted."""
        head = "mtd_" + "".join(self.random.choices(BASE62, k=43))
        return head + checksum(head)

    def some_tokens(self, count):
        """Of those that were minted last."""
        return self.random.sample(list(self._pool)[-50:], min(count, len(self._pool)))

    # ---- lives ----

    async def life(self):
        """A token is minted, known everywhere, ended, and asked for at once and for a while."""
        token = await self.mint(self.random.choice(CLIENTS))
        if not token:
            await asyncio.sleep(0.02)
            return
        for _ in range(self.random.randrange(4)):
            await asyncio.gather(*(self.use(token, i) for i in range(len(self.ports)) for _ in range(3)))
        way = self.random.random()
        if way < 0.2:
            return  # it lives on, until something befalls its client
        instance = self._any()
        overlapping = [asyncio.create_task(self.use(token)) for _ in range(4)]
        done = await (self.revoke(token, instance) if way < 0.7 else self.delete(token))
        if done:
            at_once = [instance] * CONNECTIONS if way < 0.7 else []
            at_once += [*range(len(self.ports))] * 2
            await asyncio.gather(*(self.use(token, i) for i in at_once))
            for _ in range(8):
                await asyncio.sleep(self.random.uniform(0.001, 0.03))
                await self.use(token)
        await asyncio.gather(*overlapping)

    async def _live(self):
        while not self.ends:
            await self.life()

    async def _use_any(self):
        while not self.ends:
            if self.random.random() < 0.02 or not self._pool:
                await self.use(self._forged())
            else:
                await self.use(self.random.choice(self._pool))
            await asyncio.sleep(self.random.uniform(0, 0.01))

    async def run(self):
        await asyncio.gather(*(self._live() for _ in range(LIVES)), *(self._use_any() for _ in range(USERS)))
