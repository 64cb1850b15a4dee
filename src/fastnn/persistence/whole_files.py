"""Files that are written as a whole or not at all."""

import errno
import os
import stat
from contextlib import suppress


def write_whole(parts, path):
    """Write a whole file or none: first a temporary file beside it, which then replaces it and has its mode.

    Parameters
    ----------
    parts : iterable of bytes-like
    path : str

    Raises
    ------
    OSError
        An older file is then unchanged.
    """
    if os.path.basename(path) in ("", os.curdir, os.pardir):
        number = errno.EISDIR if path else errno.ENOENT
        raise OSError(number, os.strerror(number), path)
    path = os.path.realpath(path)  # the file that a link leads to: the link itself stays
    try:
        mode = os.stat(path).st_mode  # raises where links lead in a circle
    except FileNotFoundError:
        mode = None
    if mode is not None and not stat.S_ISREG(mode):  # a device, for instance, which a file would replace
        raise FileExistsError(errno.EEXIST, "not a regular file", path)
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise FileNotFoundError(errno.ENOENT, "no such folder", folder)
    temporary = os.path.join(folder, f".fastnn-{os.urandom(8).hex()}.tmp")
    # Whoever may not read the old file may not read the new one either, not even while it is written.
    permissions = 0o666 if mode is None else stat.S_IMODE(mode)
    with open(temporary, "xb", opener=lambda name, flags: os.open(name, flags, permissions)) as file:
        try:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
            if mode is not None:
                os.chmod(temporary, permissions)  # the umask may have removed some
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
