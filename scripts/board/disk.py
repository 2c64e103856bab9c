"""Disks of an emulated board, served over NBD, that remember every write and flush in their order."""
import os
import socket
import struct
import threading

SECTOR = 512
OPTION_MAGIC, REPLY_MAGIC = b"IHAVEOPT", 0x3E889045565A9
REQUEST_MAGIC, ANSWER_MAGIC = 0x25609513, 0x67446698
FIXED_NEWSTYLE, NO_ZEROES = 1, 2
OPTION_EXPORT_NAME, OPTION_ABORT, OPTION_INFO, OPTION_GO = 1, 2, 6, 7
ACKNOWLEDGED, INFORMATION, UNSUPPORTED = 1, 3, 0x80000001
HAS_FLAGS, SEND_FLUSH = 1, 4
READ, WRITE, DISCONNECT, FLUSH = range(4)


class Log:
    """What reached the disks: ("write", offset, bytes), ("flush",) and ("report", text)."""

    def __init__(self):
        self.lock = threading.Lock()
        self.entries = []
        self.is_open = True

    def add(self, *entry):
        if self.is_open:
            self.entries.append(entry)


class Disk:
    """Serves an image on a Unix socket. Of the FUA flag nothing is offered: the board flushes in its place."""

    def __init__(self, image, path, log):
        self.image, self.path, self.log = bytearray(image), path, log
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()
        os.unlink(self.path)

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            with connection, connection.makefile("rb") as stream:
                if self._negotiate(connection, stream):
                    while self._answer(connection, stream):
                        pass
        except (EOFError, OSError):
            pass  # the board was switched off

    def _negotiate(self, connection, stream):
        connection.sendall(b"NBDMAGIC" + OPTION_MAGIC + struct.pack(">H", FIXED_NEWSTYLE | NO_ZEROES))
        _take(stream, 4)
        while True:
            magic, option, length = struct.unpack(">8sII", _take(stream, 16))
            _take(stream, length)
            if magic != OPTION_MAGIC or option == OPTION_ABORT:
                return False
            if option == OPTION_EXPORT_NAME:
                connection.sendall(struct.pack(">QH", len(self.image), HAS_FLAGS | SEND_FLUSH))
                return True

            def reply(kind, data=b""):
                connection.sendall(struct.pack(">QIII", REPLY_MAGIC, option, kind, len(data)) + data)

            if option in (OPTION_INFO, OPTION_GO):
                reply(INFORMATION, struct.pack(">HQH", 0, len(self.image), HAS_FLAGS | SEND_FLUSH))
                reply(INFORMATION, struct.pack(">HIII", 3, SECTOR, 4096, 1 << 25))
                reply(ACKNOWLEDGED)
                if option == OPTION_GO:
                    return True
            else:
                reply(UNSUPPORTED)

    def _answer(self, connection, stream):
        magic, _, command, handle, offset, length = struct.unpack(">IHHQQI", _take(stream, 28))
        if magic != REQUEST_MAGIC or command == DISCONNECT:
            return False
        data = _take(stream, length) if command == WRITE else b""
        answer = b""
        with self.log.lock:
            if command == READ:
                answer = bytes(self.image[offset:offset + length])
            elif command == WRITE:
                self.written(offset, data)
            elif command == FLUSH:
                self.flushed()
        connection.sendall(struct.pack(">IIQ", ANSWER_MAGIC, 0, handle) + answer)
        return True

    def written(self, offset, data):
        self.image[offset:offset + len(data)] = data
        self.log.add("write", offset, data)

    def flushed(self):
        self.log.add("flush")


class Reports(Disk):
    """A disk whose writes are lines of text: the board goes on once they are in the log."""

    def written(self, offset, data):
        self.image[offset:offset + len(data)] = data
        text = data.split(b"\0", 1)[0].decode()
        if text:
            self.log.add("report", text)

    def flushed(self):
        pass


def state(image, entries, cut, survivors, random, unit=SECTOR):
    """The image after a power cut when `entries[:cut]` had reached the disk.

    What was written before the last flush is there. Of the rest: "none", "all", whole "writes" or single "sectors" of
    `unit` bytes, each with an even chance.
    """
    image = bytearray(image)
    last_flush = max((i for i in range(cut) if entries[i][0] == "flush"), default=-1)
    for i in range(cut):
        if entries[i][0] != "write":
            continue
        _, offset, data = entries[i]
        if i < last_flush or survivors == "all" or survivors == "writes" and random.random() < 0.5:
            image[offset:offset + len(data)] = data
        elif survivors == "sectors":
            for start in range(0, len(data), unit):
                if random.random() < 0.5:
                    image[offset + start:offset + start + unit] = data[start:start + unit]
    return image


def _take(stream, length):
    data = stream.read(length)
    if len(data) < length:
        raise EOFError
    return data
