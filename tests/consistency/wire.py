"""HTTP and RESP on asyncio, as far as the checker needs them: bytes out, one answer in."""
import asyncio
import re
import socket

from history import slot_of_key
from network import source_of_proxies

REDIRECTS_MAX = 10


class Lost(Exception):
    """The connection ended, or nothing came."""


class HttpConnection(asyncio.Protocol):
    """Keep-alive, one request at a time. A second answer to one request is an error."""

    def __init__(self):
        self._data, self._waiter, self.transport = b"", None, None
        self.is_open = False

    @classmethod
    async def open(cls, port):
        _, self = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return self

    def connection_made(self, transport):
        self.transport, self.is_open = transport, True
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data):
        self._data += data
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._data[:end]
        mark = head.lower().find(b"\r\ncontent-length:")
        length = int(head[mark + 17 :].split(b"\r\n", 1)[0]) if mark >= 0 else 0
        whole = end + 4 + length
        if len(self._data) < whole:
            return
        if self._waiter is None or self._waiter.done() or len(self._data) > whole:
            self._fail("an answer too many")
            return
        answer = int(head[9:12]), self._data[end + 4 :]
        self._data = b""
        if b"\r\nconnection: close" in head.lower():
            self.close()
        self._waiter.set_result(answer)

    def _fail(self, why):
        self.close()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(Lost(why))

    def connection_lost(self, _):
        self.is_open = False
        self._fail("the connection ended")

    def close(self):
        self.is_open = False
        self.transport.close()

    async def ask(self, raw, timeout=15.0):
        """(status, body)"""
        self._waiter = asyncio.get_running_loop().create_future()
        self.transport.write(raw)
        try:
            return await asyncio.wait_for(self._waiter, timeout)
        except asyncio.TimeoutError:
            self.close()
            raise Lost("nothing came") from None


class Redis:
    """Commands over its unix socket, one at a time; a connection is made when one is needed. calm: the lock of a
    change of several commands, and of a fault that must not come in between."""

    def __init__(self, path):
        self._path, self._reader, self._writer = path, None, None
        self._lock = asyncio.Lock()
        self.calm = asyncio.Lock()

    def move(self, path):
        """To another Redis. What is under way is lost."""
        self.close()
        self._path = path

    async def __call__(self, *arguments, timeout=10.0, asking=False):
        async with self._lock:
            if asking:
                await self._ask(("ASKING",), timeout)
            return await self._ask(arguments, timeout)

    async def _ask(self, arguments, timeout=10.0):
        try:
            return await asyncio.wait_for(self._exchange(arguments), timeout)
        except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError, Lost) as problem:
            self.close()
            raise Lost(str(problem)) from None

    async def _exchange(self, arguments):
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_unix_connection(self._path)
        parts = [b"*%d\r\n" % len(arguments)]
        parts += [b"$%d\r\n%s\r\n" % (len(data), data) for data in (str(a).encode() for a in arguments)]
        self._writer.write(b"".join(parts))
        reply = await self._reader.readuntil(b"\r\n")
        if reply[:1] not in (b"+", b":"):
            raise Lost(reply.decode())
        return reply[1:-2].decode()

    def close(self):
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


class CopiedRedis(Redis):
    """A master: what it acknowledges a replica has too, as long as it is said to have one."""

    has_replica = True

    async def __call__(self, *arguments, timeout=10.0, asking=False):
        async with self._lock:
            if asking:
                await self._ask(("ASKING",), timeout)
            reply = await self._ask(arguments, timeout)
            if self.has_replica and await self._ask(("WAIT", 1, 1000), timeout) == "0":
                raise Lost("no replica has it")
            return reply


class ClusterRedis:
    """The same of a cluster: a command goes to the node that has its key, FLUSHALL to all masters. each: {port: a
    Redis}. still: the lock of what may not come amid FLUSHALL."""

    def __init__(self, nodes, make):
        self.each = {node.port: make(node.socket_path) for node in nodes}
        self.masters = []  # ports
        self.calm, self.still = asyncio.Lock(), asyncio.Lock()
        self._owners = {}

    async def __call__(self, *arguments):
        if arguments[0] == "FLUSHALL":
            async with self.still:
                for port in self.masters:
                    await self.each[port](*arguments)
            return "OK"
        slot = slot_of_key(arguments[1])
        port, asking = self._owners.get(slot, self.masters[0]), False
        for _ in range(REDIRECTS_MAX):
            try:
                return await self.each[port](*arguments, asking=asking)
            except Lost as problem:
                said = re.match(r"-(MOVED|ASK) \d+ \S*:(\d+)", str(problem))
                if not said:
                    self._forget(slot, port)
                    raise
            port, asking = int(said[2]), said[1] == "ASK"
            if not asking:
                self._owners[slot] = port
        raise Lost("redirected without end")

    def _forget(self, slot, port):
        """It does not answer: the next one is asked who has it."""
        at = self.masters.index(port) if port in self.masters else 0
        self._owners[slot] = self.masters[(at + 1) % len(self.masters)]

    def close(self):
        for redis in self.each.values():
            redis.close()


class Line:
    """What the proxies before one instance do. While `flows` is not set connections stay open and nothing
    passes; while far_s is not 0, what comes from the other side comes so many seconds later."""

    def __init__(self):
        self.flows, self.far_s = asyncio.Event(), 0.0
        self.flows.set()


# As a whole text (of a Sentinel), as a number (CLUSTER SLOTS), and behind a host (MOVED).
_PORT = re.compile(rb"((?:^|\n|:))(\d{4,5})(?=\r\n)")


class Proxy:
    """Between an instance and a Redis or a Sentinel. without_hello: a Redis does not know that command then. (ACL
    cannot take it away.) renames: {port: port} that a Sentinel or a node of a cluster names in place of others."""

    def __init__(self, far_port, line, *, without_hello=False, renames=None):
        self._far_port, self._line, self._without_hello = far_port, line, without_hello
        self._renames = renames if renames is not None else {}  # it may be filled later
        self._tasks = set()

    async def start(self):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def _accept(self, near_reader, near):
        try:
            await self._line.flows.wait()
            far_reader, far = await asyncio.open_connection("127.0.0.1", self._far_port,
                                                            local_addr=source_of_proxies())
        except OSError:
            near.close()
            return
        for reader, writer, is_from_far in ((near_reader, far, False), (far_reader, near, True)):
            task = asyncio.create_task(self._pass(reader, writer, is_from_far))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _rename(self, found):
        port = int(found[2])
        new = b"%d" % self._renames.get(port, port)
        assert len(new) == len(found[2])  # else the length of the text would be wrong
        return found[1] + new

    async def _pass(self, reader, writer, is_from_far):
        rest = b""
        try:
            while data := await reader.read(65536):
                await self._line.flows.wait()
                if is_from_far and self._line.far_s:
                    await asyncio.sleep(self._line.far_s)
                if self._without_hello:
                    data = data.replace(b"\r\nHELLO\r\n", b"\r\nNO-HI\r\n")
                if is_from_far and self._renames:
                    whole, end, rest = (rest + data).rpartition(b"\r\n")
                    data = _PORT.sub(self._rename, whole + end)
                writer.write(data)
        except OSError:
            pass
        await self._line.flows.wait()
        writer.close()

    def close(self):
        self._server.close()
        for task in self._tasks:
            task.cancel()
