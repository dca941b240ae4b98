"""Damage that any file may have: what each function makes of bytes, with a random generator."""


def whole(content, rng):
    return content


def truncated(content, rng):
    return content[: rng.integers(len(content) + 1)]


def flipped(content, rng):
    """One to eight bits are others."""
    changed = bytearray(content)
    for _ in range(rng.integers(1, 9) if content else 0):
        changed[rng.integers(len(changed))] ^= 1 << rng.integers(8)
    return bytes(changed)


def overwritten(content, rng):
    """A run of bytes is random, or zero, or all ones."""
    place, length = rng.integers(len(content) + 1), int(rng.integers(1, 65))
    patch = (rng.bytes(length), bytes(length), b"\xff" * length)[rng.integers(3)]
    return content[:place] + patch + content[place + length :]


def overwritten_at_an_end(content, rng):
    """Up to 30 of the first or last 2,000 bytes: headers, and the directory of an archive."""
    changed = bytearray(content)
    near = min(len(content), 2000)
    begin = (0, len(content) - near)[rng.integers(2)]
    for _ in range(rng.integers(1, 31) if content else 0):
        changed[begin + rng.integers(near)] = rng.integers(256)
    return bytes(changed)


def cut_out(content, rng):
    begin, end = sorted(rng.integers(len(content) + 1, size=2))
    return content[:begin] + content[end:]


def repeated(content, rng):
    """A part is there many times, up to a megabyte."""
    begin, end = sorted(rng.integers(len(content) + 1, size=2))
    part = content[begin:end]
    times = min(int(rng.integers(2, 2000)), 2**20 // max(len(part), 1))
    return content[:begin] + part * times + content[end:]


def swapped(content, rng):
    middle = rng.integers(len(content) + 1)
    return content[middle:] + content[:middle]


def followed(content, rng):
    return content + rng.bytes(int(rng.integers(1, 5000)))


DAMAGES = (
    whole,
    truncated,
    flipped,
    overwritten,
    overwritten_at_an_end,
    cut_out,
    repeated,
    swapped,
    followed,
)
