"""The `python` of a warm job: asks the worker to fork, or becomes the real Python where that cannot serve."""

import json
import os
import signal
import socket
import sys

SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


def real():
    """The next `python` on the PATH, by the name that this one was called by."""
    own = os.environ["DEEPRC_WARM_PATH"]
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        path = os.path.join(folder, "python3")
        if folder and folder != own and os.access(path, os.X_OK):
            return path
    return os.environ["DEEPRC_WARM_PYTHON"]


def same(path, other):
    """Whether two paths are the same Python of the same environment."""
    return os.path.realpath(path) == os.path.realpath(other) and os.path.samefile(
        os.path.dirname(path), os.path.dirname(other)
    )


def main():
    """Be the program, one way or the other."""
    arguments, python = sys.argv[1:], real()
    plain = arguments and (arguments[0] in ("-m", "-c") or not arguments[0].startswith("-"))
    worker = socket.socket(socket.AF_UNIX)
    try:
        if not plain or not same(python, os.environ["DEEPRC_WARM_PYTHON"]):
            raise OSError
        worker.connect("\0" + os.environ["DEEPRC_WARM"])
    except (OSError, KeyError):
        os.execv(python, [python, *arguments])
    request = {"arguments": arguments, "cwd": os.getcwd(), "environment": dict(os.environ)}
    text = json.dumps(request).encode()
    for number in SIGNALS:  # they are the program's
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda number, _: worker.send(bytes([number])))
    socket.send_fds(worker, [str(len(text)).encode() + b"\n"], [0, 1, 2])
    worker.sendall(text)
    for file in (0, 1):  # else a pipe's other end would not see the program's end of it
        os.close(file)
    answer = worker.recv(16)
    if not answer:
        sys.exit("the warm worker has ended")
    code = int(answer)
    if code < 0:
        if -code in SIGNALS:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


main()
