"""HTTP and RESP on asyncio, as far as the checker needs them: bytes out, one answer in."""
import asyncio
import socket


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

    async def __call__(self, *arguments, timeout=10.0):
        async with self._lock:
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

    async def __call__(self, *arguments, timeout=10.0):
        async with self._lock:
            reply = await self._ask(arguments, timeout)
            if self.has_replica and await self._ask(("WAIT", 1, 1000), timeout) == "0":
                raise Lost("no replica has it")
            return reply


class Line:
    """What the proxies before one instance do. While `flows` is not set connections stay open and nothing
    passes; while far_s is not 0, what comes from the other side comes so many seconds later."""

    def __init__(self):
        self.flows, self.far_s = asyncio.Event(), 0.0
        self.flows.set()


class Proxy:
    """Between an instance and a Redis or a Sentinel. without_hello: a Redis does not know that command then. (ACL
    cannot take it away.) renames: {port: port} that a Sentinel names in place of others."""

    def __init__(self, far_port, line, *, without_hello=False, renames=None):
        self._far_port, self._line, self._without_hello = far_port, line, without_hello
        self._renames = [(b"\r\n%d\r\n" % old, b"\r\n%d\r\n" % new) for old, new in (renames or {}).items()]
        assert all(len(old) == len(new) for old, new in self._renames)
        self._tasks = set()

    async def start(self):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def _accept(self, near_reader, near):
        try:
            await self._line.flows.wait()
            far_reader, far = await asyncio.open_connection("127.0.0.1", self._far_port)
        except OSError:
            near.close()
            return
        for reader, writer, is_from_far in ((near_reader, far, False), (far_reader, near, True)):
            task = asyncio.create_task(self._pass(reader, writer, is_from_far))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass(self, reader, writer, is_from_far):
        try:
            while data := await reader.read(65536):
                await self._line.flows.wait()
                if is_from_far and self._line.far_s:
                    await asyncio.sleep(self._line.far_s)
                if self._without_hello:
                    data = data.replace(b"\r\nHELLO\r\n", b"\r\nNO-HI\r\n")
                for old, new in self._renames if is_from_far else ():
                    data = data.replace(old, new)
                writer.write(data)
        except OSError:
            pass
        await self._line.flows.wait()
        writer.close()

    def close(self):
        self._server.close()
        for task in self._tasks:
            task.cancel()
