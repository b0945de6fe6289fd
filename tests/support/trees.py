"""What lies in a folder, to compare before and after."""

import stat


def tree(folder):
    """The text of each file, the target of each link, None for each folder, by relative path."""
    found = {}
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode):
            content = path.read_bytes().decode(errors="replace")
        elif stat.S_ISLNK(mode):
            content = f"-> {path.readlink()}"
        else:
            content = None if stat.S_ISDIR(mode) else stat.S_IFMT(mode)
        found[path.relative_to(folder).as_posix()] = content
    return found
