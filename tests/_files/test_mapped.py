"""Arrays on disk: never left behind, and read by pages."""

import numpy as np

from tfvae._files import mapped


def resident(array):
    """Returns how many bytes of an array's file are in this process' memory."""
    address = f"{array.__array_interface__['data'][0]:x}"
    with open("/proc/self/smaps", encoding="utf-8") as maps:
        text = maps.read()
    return 1024 * int(text.split(f"\n{address}-")[1].split("Rss:")[1].split()[0])


def test_an_array_on_disk_has_no_file_that_could_be_left_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    x = mapped.empty((5, 3))
    x[:] = 7.0
    assert not any(tmp_path.iterdir()) and (x.dtype, x.shape) == (np.float32, (5, 3))
    assert np.array_equal(x, np.full((5, 3), 7.0))


def test_what_was_read_of_a_file_does_not_stay_in_memory(tmp_path):
    x = np.arange(2**23, dtype=np.float32).reshape(-1, 2)
    np.save(tmp_path / "x.npy", x)
    on_disk = np.load(tmp_path / "x.npy", mmap_mode="r")
    whole = mapped._map_of(on_disk)
    assert mapped.is_mapped(on_disk[3:]) and mapped.is_mapped(np.asarray(on_disk))
    assert not mapped.is_mapped(x) and not mapped.is_mapped(None)

    start = np.frombuffer(whole, np.uint8)
    assert sum(float(on_disk[rows].sum(dtype=np.float64)) for rows in mapped.pages(on_disk)) == (
        x.sum(dtype=np.float64)
    )
    assert resident(start) < 2**20
    on_disk.sum()
    assert resident(start) > 2**24
    mapped.release(on_disk)
    assert resident(start) < 2**20 and np.array_equal(on_disk, x)


def test_pages_are_all_rows_once_in_their_order(monkeypatch):
    monkeypatch.setattr(mapped, "_PAGE", 6)
    x = np.arange(26).reshape(13, 2)
    found = [x[rows] for rows in mapped.pages(x)]
    assert [len(page) for page in found] == [3, 3, 3, 3, 1]
    assert np.array_equal(np.concatenate(found), x)
