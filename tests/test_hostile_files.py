"""Files made to harm, or broken on the way: one sentence each, and no memory given for a lie."""

from __future__ import annotations

import bz2
import hashlib
import io
import json
import os
import pickle
import struct
import time
import tracemalloc
import warnings
import zipfile
import zlib

import h5py
import numpy as np
import pytest

from ptycho_nb.errors import InputError, ScanError
from ptycho_nb.memory import Memory
from ptycho_nb.readers import inspect_file, load_scan, save_scan
from ptycho_nb.readers.hdf5 import BLOCK, MARK, write_hdf5
from ptycho_nb.readers.source import Budget, size
from ptycho_nb.scan import Scan

M, N = 5, 8


@pytest.fixture
def scan(rng):
    patterns = rng.poisson(40 * np.hanning(N + 1)[:N, None] * np.hanning(N + 1)[:N], (M, N, N))
    return Scan(patterns, rng.uniform(0, 9, (M, 2)), np.hanning(N)[:, None] * np.hanning(N) * 10)


def plain_npz(scan, write=np.savez):
    stream = io.BytesIO()
    write(stream, intensity=scan.intensity, positions=scan.positions, probe=scan.probe)
    return stream.getvalue()


def npy(header: bytes, data: bytes = b"", version=(1, 0)) -> bytes:
    """An NPY array with any header."""
    length = struct.pack("<H" if version == (1, 0) else "<I", len(header))
    return b"\x93NUMPY" + bytes(version) + length + header + data


def claim(shape: str, descr: str = "'<f4'") -> bytes:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()


def archive(members, packing=zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w", packing) as file:
        warnings.simplefilter("ignore")  # on purpose twice
        for name, content in members:
            file.writestr(name, content)
    return stream.getvalue()


def good_members(scan, **changes):
    arrays = {"intensity": scan.intensity, "positions": scan.positions, "probe": scan.probe}
    members = {}
    for name, array in arrays.items():
        stream = io.BytesIO()
        np.save(stream, array)
        members[f"{name}.npy"] = stream.getvalue()
    return list({**members, **changes}.items())


def refused(path, words="", longest=160):
    """The sentence with which ``path`` is refused, quickly and without much memory."""
    tracemalloc.start()
    began = time.monotonic()
    try:
        with pytest.raises(ScanError) as caught:
            load_scan(path)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    text = str(caught.value)
    assert words in text
    assert len(text.splitlines()[0]) <= longest, text
    assert time.monotonic() - began < 5
    assert most < 64 * 2**20
    return text


def put(folder, content, name="a.npz"):
    (folder / name).write_bytes(content)
    return folder / name


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("step", [61, pytest.param(1, marks=pytest.mark.fault)])
def test_an_npz_cut_at_every_byte_is_one_sentence(tmp_path, scan, write, step):
    whole = plain_npz(scan, write)
    path = tmp_path / "a.npz"
    for length in range(0, len(whole), step):
        path.write_bytes(whole[:length])
        with pytest.raises(ScanError) as caught:
            load_scan(path)
        assert len(str(caught.value)) <= 160
    path.write_bytes(whole)
    assert load_scan(path).M == M


def test_a_bz2_and_an_hdf5_cut_anywhere_are_one_sentence(tmp_path, scan):
    save_scan(tmp_path / "whole.h5", scan)
    packed = {"a.npz.bz2": bz2.compress(plain_npz(scan)), "a.h5": (tmp_path / "whole.h5").read_bytes()}
    for name, whole in packed.items():
        for length in range(0, len(whole), max(1, len(whole) // 300)):
            refused(put(tmp_path, whole[:length], name))


@pytest.mark.fault
@pytest.mark.parametrize("kind", ["stored", "deflated", "bz2", "own", "h5"])
def test_random_damage_gives_a_scan_or_one_sentence(tmp_path, scan, rng, kind):
    save_scan(tmp_path / "own.npz", scan)
    save_scan(tmp_path / "own.h5", scan)
    whole = {
        "stored": lambda: plain_npz(scan),
        "deflated": lambda: plain_npz(scan, np.savez_compressed),
        "bz2": lambda: bz2.compress(plain_npz(scan)),
        "own": (tmp_path / "own.npz").read_bytes,
        "h5": (tmp_path / "own.h5").read_bytes,
    }[kind]()
    path = tmp_path / {"bz2": "a.npz.bz2", "h5": "a.h5"}.get(kind, "a.npz")
    refusals = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(600):
            damaged = bytearray(whole)
            for at in rng.integers(0, len(damaged), rng.integers(1, 8)):
                damaged[at] = rng.integers(0, 256)
            if rng.random() < 0.2:
                start, stop = np.sort(rng.integers(0, len(damaged), 2))
                del damaged[start : min(stop, start + 20)]
            path.write_bytes(damaged)
            try:
                load_scan(path)
            except ScanError as error:
                refusals.append(str(error).splitlines()[0])
    assert len(refusals) > 300
    assert max(map(len, refusals)) <= 160, max(refusals, key=len)


@pytest.mark.parametrize(
    "shape", ["(1000000000000, 1)", f"({2**62},)", f"({2**62}, 4, 4)", "(-5, 8, 8)", "(5, -8, -8)", "(10000000, 64, 64)"]
)
def test_a_claimed_shape_that_is_no_truth_gets_no_memory(tmp_path, scan, shape):
    content = archive(good_members(scan, **{"intensity.npy": npy(claim(shape), b"\0" * 1280)}))
    refused(put(tmp_path, content), "intensity")


@pytest.mark.parametrize(
    "header",
    [
        claim("(5, 8, 8)", "'|O'"),
        claim("(5, 8, 8)", "'<f4,<f4'"),
        claim("(5, 8, 8)", "('<f4', (1000000,))"),
        claim("(5, 8, 8)", "[('a', '<f4'), ('b', '|O')]"),
        claim("(5, 8, 8)", "'<U1000000000'"),
        claim("(5, 8, 8)", "'V99999999999'"),
        claim("(5, 8, 8)", "'M8[s]'"),
        claim("5"),
        claim("('a',)"),
        claim("(True, False)"),
        claim("(1.5,)"),
        claim("(" + "1," * 100 + ")"),
        claim("(" * 5000 + ")" * 5000),
        claim("(5,) + (8,)"),
        claim("__import__('os').system('true')"),
        b"{}",
        b"",
        b"{'descr': '<f4'}",
        b"\xff" * 100,
        b"'" * 301,
        b"0" * 60000,
        b"(((" + b"L" * 1000,
    ],
)
def test_a_header_made_to_harm_is_one_sentence(tmp_path, scan, header):
    refused(put(tmp_path, archive(good_members(scan, **{"intensity.npy": npy(header, b"\0" * 1280)}))))


@pytest.mark.parametrize("version", [(0, 0), (1, 1), (3, 0), (255, 255)])
def test_another_npy_version_is_one_sentence(tmp_path, scan, version):
    content = npy(claim("(5, 8, 8)"), b"\0" * 1280, version=version)
    refused(put(tmp_path, archive(good_members(scan, **{"intensity.npy": content}))), "")


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_a_pickle_is_never_opened(tmp_path, scan):
    trap = np.array([Trap(str(tmp_path / "sprung"))] * M, dtype=object)
    stream = io.BytesIO()
    np.savez(stream, intensity=trap, positions=scan.positions, probe=scan.probe, meta=trap[0])
    path = put(tmp_path, stream.getvalue())
    assert {i.name: str(i.dtype) for i in inspect_file(path)}["intensity"] == "object"
    refused(path, "'intensity' holds Python objects (a pickle)")
    with pytest.raises(ScanError, match="pickle"):
        load_scan(path, patterns="intensity")
    for name in ("b.npz", "b.npz.bz2", "b.h5"):
        refused(put(tmp_path, pickle.dumps(Trap(str(tmp_path / "sprung"))), name))
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "name", ["../x.npy", "a/../../x.npy", "/etc/x.npy", "..\\x.npy", "C:\\x.npy", "a\x07.npy", "x" * 500 + ".npy", "\u202enpy.npy"]
)
def test_a_member_that_leaves_the_file_is_refused(tmp_path, scan, name):
    refused(put(tmp_path, archive([*good_members(scan), (name, npy(claim("(1,)"), b"\0" * 4))])), "names are plain")


def test_a_name_that_stands_twice_is_refused(tmp_path, scan):
    refused(put(tmp_path, archive([*good_members(scan), ("probe.npy", npy(claim("(1,)"), b"\0" * 4))])), "twice")
    refused(put(tmp_path, archive([*good_members(scan), ("probe", b"")])), "twice")


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_packings_are_refused(tmp_path, scan, packing):
    refused(put(tmp_path, archive(good_members(scan), packing)), "savez")


def test_an_encrypted_member_is_refused(tmp_path, scan):
    content = bytearray(plain_npz(scan))
    at = content.rindex(b"PK\x01\x02")
    content[at + 8] |= 1
    refused(put(tmp_path, bytes(content)), "password")


def test_too_many_members_are_refused(tmp_path):
    refused(put(tmp_path, archive([(f"a{i}.npy", npy(claim("(1,)"), b"\0" * 4)) for i in range(1001)])), "1001 members")
    refused(put(tmp_path, archive([])), "0 members")


def test_a_deflate_bomb_is_bounded_by_memory_and_not_by_its_ratio(tmp_path, scan, monkeypatch):
    zeros = npy(claim("(50000, 32, 32)"), bytes(50_000 * 32 * 32 * 4))
    path = put(tmp_path, archive(good_members(scan, **{"intensity.npy": zeros}), zipfile.ZIP_DEFLATED))
    assert path.stat().st_size < 300_000
    monkeypatch.setattr(Budget, "of_memory", classmethod(lambda cls, share=1: cls(100 * 2**20)))
    refused(path, "more than the 100 MiB")


def test_a_size_that_deflate_cannot_reach_is_refused(tmp_path, scan):
    content = bytearray(plain_npz(scan, np.savez_compressed))
    at = content.rindex(b"PK\x01\x02")
    content[at + 24 : at + 28] = struct.pack("<I", 0xFFFFFFF0)
    refused(put(tmp_path, bytes(content)), "cannot hold")


def test_a_bz2_bomb_stops_at_its_bound(tmp_path, monkeypatch):
    monkeypatch.setattr("ptycho_nb.readers.npz.UNPACKED", (2**20, 10))
    bomb = bz2.compress(b"PK\x03\x04" + bytes(50 * 2**20))
    assert len(bomb) < 1000
    refused(put(tmp_path, bomb, "a.npz.bz2"), "unpacks to more than 1 MiB")
    refused(put(tmp_path, bz2.compress(bytes(10**7)), "a.npz.bz2"), "something else than an NPZ")


def test_a_member_with_a_wrong_checksum_or_more_bytes_than_it_says_is_refused(tmp_path, scan):
    content = bytearray(plain_npz(scan))
    at = content.index(scan.intensity.tobytes()[100:140]) + 5
    content[at] ^= 0xFF
    refused(put(tmp_path, bytes(content)), "damaged")


def test_a_header_that_claims_gigabytes_reads_none_of_them(tmp_path, scan):
    swollen = b"\x93NUMPY\x02\x00" + struct.pack("<I", 0xFFFFFF00) + bytes(300 * 2**20)
    refused(put(tmp_path, archive(good_members(scan, **{"intensity.npy": swollen}), zipfile.ZIP_DEFLATED)))


def test_a_long_list_of_members_is_refused_unread(tmp_path):
    content = archive([("a.npy", npy(claim("(1,)"), b"\0" * 4))])
    at, end = content.index(b"PK\x01\x02"), content.index(b"PK\x05\x06")
    entries = content[at:end] * 40_000
    tail = bytearray(content[end:])
    tail[8:16] = struct.pack("<HHI", 40_000, 40_000, len(entries))
    refused(put(tmp_path, content[:at] + entries + bytes(tail)), "list of members is longer")


@pytest.mark.parametrize(
    ("shape", "descr"), [("(1000000000000000000, 0)", "'<f4'"), ("(1000000000000, 0, 8, 8)", "'<f4'"), ("(100000000000,)", "'<U0'")]
)
def test_arrays_of_no_size_take_none(tmp_path, scan, shape, descr):
    refused(put(tmp_path, archive(good_members(scan, **{"intensity.npy": npy(claim(shape, descr))}))))


@pytest.mark.parametrize("name", ["intensity", "positions", "probe"])
def test_numbers_beyond_single_precision_are_told_as_infinite(scan, name):
    arrays = {"intensity": scan.intensity.astype(float), "positions": scan.positions, "probe": scan.probe.astype(complex)}
    arrays[name] = arrays[name].copy()
    arrays[name].flat[0] = 1e300
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for make in (load_scan, lambda given: Scan(**given)):
            with pytest.raises(ScanError):
                make(arrays)


def test_more_photons_than_memory_holds_are_refused_before_they_are_read(tmp_path, scan, monkeypatch):
    monkeypatch.setattr("ptycho_nb.readers.source.memory", lambda: Memory(40 * 2**20, 2**30))
    flags = npy(claim("(2000, 64, 64)", "'|u1'"), bytes(2000 * 64 * 64))
    many = good_members(scan, **{"intensity.npy": flags})
    refused(put(tmp_path, archive(many, zipfile.ZIP_DEFLATED)), "more than the 32 MiB")


def test_members_that_share_their_bytes_are_no_way_round_the_bound(tmp_path, scan, monkeypatch):
    monkeypatch.setattr(Budget, "of_memory", classmethod(lambda cls, share=1: cls(1500)))
    refused(put(tmp_path, plain_npz(scan)), "more than the")


def test_metadata_made_to_harm_are_left_out(tmp_path, scan):
    odd = ('{"pixel_size": "x"}', '{"pixel_size": -1}', '{"pixel_size": NaN}', '{"photons": {}}')
    for text in ("[" * 100_000, "{", "3", "9" * 6000, *odd):
        read = load_scan({"intensity": scan.intensity, "positions": scan.positions, "probe": scan.probe, "meta": text})
        assert read.pixel_size is None
    own = {"format": "ptycho_nb-scan", "version": 1, "name": "x", "notes": [], "metadata": {}, "pixel_size": None}
    arrays = {"intensity": scan.intensity, "positions": scan.positions, "probe": scan.probe}
    for changes, words in (
        ({"version": 2}, "update"),
        ({"version": "1"}, "update"),
        ({"name": 3}, "lacks"),
        ({"notes": [1]}, "lacks"),
        ({"metadata": []}, "lacks"),
        ({"pixel_size": "wide"}, "lacks"),
        ({"pixel_size": -1.0}, "pixel size"),
        ({"format": "ptycho_nb-reconstruction"}, "not a scan"),
    ):
        with pytest.raises(ScanError, match=words):
            load_scan({**arrays, "meta": json.dumps(own | changes)})
    with pytest.raises(ScanError, match="lacks probe"):
        load_scan({"intensity": scan.intensity, "positions": scan.positions, "meta": json.dumps(own)})


def test_names_from_a_file_come_shortened_and_without_control_characters(tmp_path, scan):
    members = [(name, npy(claim("(1,)"), b"\0" * 4)) for name in ("<img src=x onerror=alert(1)>.npy", "$alpha$.npy")]
    text = refused(put(tmp_path, archive(members)), "no diffraction patterns")
    assert "<img src=x" in text  # foreign text is escaped where it is drawn
    assert all(c.isprintable() or c == "\n" for c in text)


@pytest.mark.skipif(os.name != "posix", reason="pipes with names are POSIX")
def test_a_pipe_a_device_and_a_folder_are_no_scans(tmp_path):
    os.mkfifo(tmp_path / "a.npz")
    (tmp_path / "b.npz").mkdir()
    (tmp_path / "c.npz").symlink_to("/dev/zero")
    for name in ("a.npz", "b.npz", "c.npz"):
        refused(tmp_path / name, "plain file")
    refused(tmp_path / "a\0.npz", "not a valid path")
    refused(tmp_path / ("x" * 300 + ".npz"), "too long")


def sealed(path, fill):
    """An HDF5 file with a true seal round whatever ``fill`` puts in it."""
    with open(path, "wb+") as stream:
        write_hdf5(stream, {"intensity": np.zeros((M, N, N), np.float32)})
    with h5py.File(path, "r+") as file:
        fill(file)
    reseal(path)
    return path


def reseal(path):
    content = path.read_bytes()
    seal = MARK + hashlib.sha256(content[BLOCK:]).hexdigest().encode() + b"\n"
    path.write_bytes(seal.ljust(BLOCK, b"\0") + content[BLOCK:])


def external(file):
    file.create_dataset("positions", (4,), "u1", external=[("/etc/hostname", 0, 4)])


def virtual(file):
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("/etc/hostname", "x", (4,))
    file.create_virtual_dataset("positions", layout)


def soft(file):
    file["positions"] = h5py.SoftLink("/intensity")


def elsewhere(file):
    file["positions"] = h5py.ExternalLink("/etc/hostname", "/x")


def group(file):
    file.create_group("positions")["intensity"] = file["intensity"]


def loop(file):
    file["positions"] = file["/"]


def text(file):
    file.create_dataset("positions", data=["a", "b"], dtype=h5py.string_dtype())


def reference(file):
    file.create_dataset("positions", data=np.array([file["intensity"].ref], dtype=h5py.ref_dtype))


def ragged(file):
    file.create_dataset("positions", (1,), dtype=h5py.vlen_dtype(np.int32))


def plugin(file):
    file.create_dataset("positions", data=np.zeros(100), compression="lzf")


def swelling(file):
    file.create_dataset("positions", data=np.zeros(100), compression="gzip")


def unmarked(file):
    del file.attrs["format"]


@pytest.mark.parametrize("fill", [external, virtual, soft, elsewhere, group, loop, text, reference, ragged, plugin, swelling, unmarked])
def test_a_sealed_hdf5_with_anything_but_plain_datasets_is_refused(tmp_path, fill):
    refused(sealed(tmp_path / "a.h5", fill), "format attribute" if fill is unmarked else "only plain")


@pytest.mark.parametrize("where", [BLOCK, -1, len(MARK) + 3])
def test_a_changed_byte_breaks_the_seal(tmp_path, scan, where):
    save_scan(tmp_path / "a.h5", scan)
    content = bytearray((tmp_path / "a.h5").read_bytes())
    content[where] ^= 1
    refused(put(tmp_path, bytes(content), "a.h5"), "has changed")


def test_a_sealed_hdf5_that_claims_more_than_memory_is_refused(tmp_path):
    def huge(file):
        del file["intensity"]
        file.create_dataset("intensity", (10**7, 64, 64), "f4", chunks=(1, 64, 64))
        file.create_dataset("positions", data=np.zeros((M, 2)))
        file.create_dataset("probe", data=np.ones((N, N)))

    refused(sealed(tmp_path / "a.h5", huge), "packed, in pieces")

    def unwritten(file):
        file.create_dataset("positions", (10**12, 2), "f8")

    refused(sealed(tmp_path / "a.h5", unwritten), "claims 14.6 TiB and holds 0 B")


def test_an_hdf5_without_the_seal_is_refused_before_the_library_sees_it(tmp_path, monkeypatch):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["intensity"] = np.ones((M, N, N))
        file.attrs["format"] = "ptycho_nb"

    def opened(*_, **__):
        raise AssertionError("the library saw it")

    monkeypatch.setattr("ptycho_nb.readers.hdf5.h5py.File", opened)
    refused(tmp_path / "a.h5", "NPZ")


def test_an_hdf5_of_ours_is_read_by_any_program(tmp_path, scan):
    save_scan(tmp_path / "a.h5", scan)
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(file["intensity"][()], scan.intensity)
        assert file.attrs["format"] == b"ptycho_nb"


def test_a_size_is_told_in_words_a_person_knows():
    assert [size(n) for n in (12, 2048, 3 * 2**30, 10**12)] == ["12 B", "2 KiB", "3 GiB", "931 GiB"]
    assert size(10**40) == "over a million TiB"


def test_every_error_of_a_reader_is_one_that_front_ends_show():
    assert issubclass(ScanError, InputError)
    assert zlib.crc32(b"") == 0
