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
    """Commands over its unix socket, one at a time; a connection is made when one is needed."""

    def __init__(self, path):
        self._path, self._reader, self._writer = path, None, None
        self._lock = asyncio.Lock()

    async def __call__(self, *arguments, timeout=10.0):
        async with self._lock:
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


class SilentProxy:
    """Between an instance and Redis: while it is silent connections stay open and nothing passes.
    without_hello: Redis does not know that command then. (ACL cannot take it away.) While far_s is not 0, what
    Redis says comes so many seconds later."""

    def __init__(self, redis_port, *, without_hello=False):
        self._redis_port, self.flows = redis_port, asyncio.Event()
        self._without_hello = without_hello
        self.far_s = 0.0
        self.flows.set()
        self._tasks = set()

    async def start(self):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = "redis://127.0.0.1:%d" % self._server.sockets[0].getsockname()[1]

    async def _accept(self, near_reader, near):
        try:
            await self.flows.wait()
            far_reader, far = await asyncio.open_connection("127.0.0.1", self._redis_port)
        except OSError:
            near.close()
            return
        for reader, writer, is_from_redis in ((near_reader, far, False), (far_reader, near, True)):
            task = asyncio.create_task(self._pass(reader, writer, is_from_redis))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass(self, reader, writer, is_from_redis):
        try:
            while data := await reader.read(65536):
                await self.flows.wait()
                if is_from_redis and self.far_s:
                    await asyncio.sleep(self.far_s)
                if self._without_hello:
                    data = data.replace(b"\r\nHELLO\r\n", b"\r\nNO-HI\r\n")
                writer.write(data)
        except OSError:
            pass
        await self.flows.wait()
        writer.close()

    def close(self):
        self._server.close()
        for task in self._tasks:
            task.cancel()
