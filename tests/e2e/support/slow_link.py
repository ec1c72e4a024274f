"""A way to Redis that takes time: what goes in at one end comes out at the other so much later.

    with SlowLink(redis.port, 0.02) as link:      # 20 ms there and back
        Mintctl(link.url)(…)
        link.ways                                  # how often something waited for an answer
        link.accepted                              # connections so far
        link.seconds = 4                           # of what comes from now on
"""
import queue
import socket
import threading
import time


class SlowLink:
    def __init__(self, port, seconds):
        """seconds: of the way there and back."""
        self._port, self.seconds = port, seconds
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.url = "redis://127.0.0.1:%d" % self.port
        self.ways = self.accepted = 0
        self._turns = threading.Lock()
        self._asks = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            self.accepted += 1
            try:
                server = socket.create_connection(("127.0.0.1", self._port))
            except OSError:
                client.close()
                continue
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for source, target, asks in ((client, server, True), (server, client, False)):
                late = queue.Queue()
                threading.Thread(target=self._take, args=(source, late, asks), daemon=True).start()
                threading.Thread(target=self._give, args=(late, target), daemon=True).start()

    def _count(self, asks):
        """A way is gone when a question follows an answer."""
        with self._turns:
            self.ways += asks and not self._asks
            self._asks = asks

    def _take(self, source, late, asks):
        data = b"x"
        while data:
            try:
                data = source.recv(1 << 20)
            except OSError:
                data = b""
            if data:
                self._count(asks)
            late.put((time.monotonic() + self.seconds / 2, data))

    @staticmethod
    def _give(late, target):
        while True:
            due, data = late.get()
            time.sleep(max(0, due - time.monotonic()))
            try:
                if data:
                    target.sendall(data)
                else:
                    target.shutdown(socket.SHUT_WR)
                    return
            except OSError:
                return

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()
