"""A program on a terminal, for tests of what happens when keys are pressed."""
import os
import pty
import select
import signal
import time

from waiting import slowness

QUIET = 0.4     # seconds without output after which a program waits for keys
PATIENCE = 60


class Terminal:
    def __init__(self, command, environment):
        self.text = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], command, environment)

    def _read(self, seconds):
        """Takes what is shown within that time; False when there was nothing."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        try:
            piece = os.read(self.fd, 65536)
        except OSError:     # the program has ended
            return False
        self.text += piece.decode("utf-8", "replace")
        return bool(piece)

    def wait(self, text):
        deadline = time.monotonic() + PATIENCE * slowness()
        while text not in self.text:
            assert time.monotonic() < deadline, f"the terminal does not show {text!r} but {self.text[-2000:]!r}"
            self._read(0.1)

    def settle(self):
        """Until the program has said what it had to say about the last keys."""
        deadline = time.monotonic() + PATIENCE * slowness()
        while self._read(QUIET * slowness()) and time.monotonic() < deadline:
            pass

    def type(self, keys):
        os.write(self.fd, keys.encode())

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.close(self.fd)
        os.waitpid(self.pid, 0)
