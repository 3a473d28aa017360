"""The `python` of a warm job: asks the worker to fork, or becomes the real Python where that cannot serve."""

import json
import os
import signal
import socket
import sys

SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


def real():
    """The next `python` on the PATH, by the name that this one was called by."""
    own = os.environ.get("DEEPRC_WARM_PATH", os.path.dirname(os.path.abspath(sys.argv[0])))
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        path = os.path.join(folder, "python3")
        if folder and folder != own and os.access(path, os.X_OK):
            return path
    return os.environ.get("DEEPRC_WARM_PYTHON", sys.executable)


def same(path, other):
    """Whether two paths are the same Python of the same environment."""
    return os.path.realpath(path) == os.path.realpath(other) and os.path.samefile(
        os.path.dirname(path), os.path.dirname(other)
    )


def connect(address):
    """Call the worker, see `local.py`; another user's process gets nothing of ours."""
    worker = socket.socket(socket.AF_UNIX)
    if address[0] == "@":
        worker.connect("\0" + address[1:])
    else:
        folder = os.open(os.path.dirname(address), os.O_PATH | os.O_DIRECTORY)
        worker.connect(f"/proc/self/fd/{folder}/{os.path.basename(address)}")
        os.close(folder)
    if int.from_bytes(worker.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[4:8], sys.byteorder) != os.geteuid():
        raise PermissionError
    return worker


def ask(arguments):
    """The line to the worker, once it has forked."""
    worker = connect(os.environ["DEEPRC_WARM"])
    umask = os.umask(0o077)  # read by setting it
    os.umask(umask)
    request = {"arguments": arguments, "cwd": os.getcwd(), "umask": umask, "environment": dict(os.environ)}
    text = json.dumps(request).encode()
    for number in SIGNALS:  # they are the program's
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda number, _: worker.send(bytes([number])))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        socket.send_fds(worker, [len(text).to_bytes(8, "big")], [0, 1, 2])
        worker.sendall(text)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    said = worker.recv(4096)
    if said[:1] != b"\n":
        raise ConnectionError(said.decode(errors="replace"))
    return worker, said[1:]


def unseen(why):
    """Whether an option keeps Python from reading `ranks/sitecustomize.py`, which would say it where MPI starts."""
    return why.startswith("the option") and any(f"-{letter}" in why.replace(",", "").split() for letter in "EIS")


def main():
    """Be the program, one way or the other."""
    arguments, python = sys.argv[1:], real()
    try:
        if not same(python, os.environ["DEEPRC_WARM_PYTHON"]):
            raise OSError(f"another Python than its own: {python}")
        worker, answer = ask(arguments)
    except (OSError, KeyError) as error:
        if isinstance(error, OSError):  # for `ranks/sitecustomize.py` of this very process
            os.environ["DEEPRC_WARM_NOT"] = f"{os.getpid()} {error}"
            if unseen(str(error)) and os.environ.get("DEEPRC_RANKS", "1") != "1":
                note = "its warm gang could not run this Python, where MPI does not start"
                sys.stderr.write(f"note: {error}: {note}\n")
                sys.stderr.flush()
        os.execv(python, [python, *arguments])
    for file in (0, 1):  # else a pipe's other end would not see the program's end of it
        os.close(file)
    answer = answer or worker.recv(16)
    if not answer:
        sys.exit("the warm worker has ended")
    code = int(answer)
    if code < 0:
        if -code in SIGNALS:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


main()
