"""An output is whole or not there; an input is a plain file."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys

import pytest

from ptycho_nb.errors import InputError, ScanError
from ptycho_nb.files import file_name, open_input, shown, write_atomic


def hello(stream):
    stream.write(b"hello")


def sentence(caught):
    text = str(caught.value)
    assert len(text) <= 160, text
    assert "\n" not in text
    return text


def test_a_file_is_written_whole_and_nothing_else_is_left(tmp_path):
    write_atomic(tmp_path / "a.txt", hello)
    assert (tmp_path / "a.txt").read_bytes() == b"hello"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_file_has_the_mode_that_the_user_s_mask_gives(tmp_path):
    (tmp_path / "plain").touch()
    write_atomic(tmp_path / "a.txt", hello)
    assert (tmp_path / "a.txt").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_the_bytes_are_on_the_disk_before_the_name_is(tmp_path, monkeypatch):
    steps = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *given, name=name, real=real: (steps.append(name), real(*given)))
    write_atomic(tmp_path / "a.txt", hello)
    assert steps == ["fsync", "replace", "fsync"]


@pytest.mark.parametrize("fault", [ValueError("bad"), KeyboardInterrupt(), MemoryError()])
def test_a_failing_writer_leaves_the_old_file_and_no_other(tmp_path, fault):
    (tmp_path / "a.txt").write_bytes(b"old")

    def fail(stream):
        stream.write(b"half")
        raise fault

    with pytest.raises(type(fault)):
        write_atomic(tmp_path / "a.txt", fail)
    assert (tmp_path / "a.txt").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize(("number", "words"), [(errno.ENOSPC, "disk full"), (errno.EROFS, "read-only"), (errno.EDQUOT, "disk full")])
def test_a_full_or_read_only_disk_is_one_sentence(tmp_path, number, words):
    def fail(stream):
        raise OSError(number, os.strerror(number))

    with pytest.raises(InputError, match=words) as caught:
        write_atomic(tmp_path / "a.txt", fail)
    sentence(caught)
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_a_disk_that_really_is_full_is_one_sentence(tmp_path, monkeypatch):
    def to_full(stream):
        with open("/dev/full", "wb", buffering=0) as full:
            full.write(b"x")

    with pytest.raises(InputError, match="disk full"):
        write_atomic(tmp_path / "a.txt", to_full)


def test_an_input_is_never_overwritten_whatever_it_is_called(tmp_path):
    scan = tmp_path / "scan.npz"
    scan.write_bytes(b"data")
    (tmp_path / "link.npz").symlink_to(scan)
    (tmp_path / "hard.npz").hardlink_to(scan)
    for name in ("scan.npz", "link.npz", "hard.npz"):
        with pytest.raises(InputError, match="never overwritten") as caught:
            write_atomic(tmp_path / name, hello, inputs=[scan])
        sentence(caught)
    with pytest.raises(InputError, match="never overwritten"):
        write_atomic(tmp_path / "new.npz", hello, inputs=[tmp_path / "sub" / ".." / "new.npz"])
    assert scan.read_bytes() == b"data"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a\0b.npz", "no file name"),
        ("a\nb.npz", "no file name"),
        ("a\\b.npz", "no file name"),
        ("x" * 300 + ".npz", "at most 200 bytes"),
        ("é" * 120, "at most 200 bytes"),
        ("CON", "device"),
        ("nul.npz", "device"),
        ("com1.tar.gz", "device"),
        ("no/such/folder.npz", "no folder"),
        ("", "folder or a device"),
    ],
)
def test_a_name_that_cannot_be_is_one_sentence(tmp_path, name, words):
    with pytest.raises(InputError, match=words) as caught:
        write_atomic(tmp_path / name, hello)
    sentence(caught)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["<script>alert(1)<_script>", "$alpha$", "größe 你好.npz", "a b.npz", "-rf"])
def test_strange_but_possible_names_work(tmp_path, name):
    write_atomic(tmp_path / name, hello)
    assert (tmp_path / name).read_bytes() == b"hello"


def test_a_folder_is_not_replaced_by_a_file(tmp_path):
    (tmp_path / "sub").mkdir()
    with pytest.raises(InputError, match="folder"):
        write_atomic(tmp_path / "sub", hello)


@pytest.mark.skipif(os.name != "posix", reason="pipes with names are POSIX")
def test_a_pipe_is_neither_read_nor_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")
    with pytest.raises(InputError, match="pipe"):
        open_input(tmp_path / "pipe.npz")
    with pytest.raises(InputError, match="device"):
        write_atomic(tmp_path / "pipe.npz", hello)


@pytest.mark.parametrize(
    ("name", "words"), [("none.npz", "no file"), (".", "folder"), ("a\0b", "not a valid path"), ("x" * 300, "too long")]
)
def test_a_file_that_cannot_be_opened_is_one_sentence(tmp_path, name, words):
    with pytest.raises(ScanError, match=words) as caught:
        open_input(tmp_path / name, ScanError)
    sentence(caught)


def test_a_missing_file_names_the_folder_from_the_root_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=f"no file none.npz in .*{tmp_path.name}; check"):
        open_input("none.npz")


def test_names_are_shown_without_folders_or_control_characters():
    assert shown("/secret/place/a\x1b[31m.npz") == "a?[31m.npz"
    assert len(shown("x" * 500)) == 60


@pytest.mark.parametrize("text", ["../../x", "CON", "a/b\\c\0d", "", "<b>", "…" * 300, "nul.txt", "名" * 200])
def test_any_text_becomes_a_file_name_that_can_be_written(tmp_path, text):
    name = file_name(text)
    write_atomic(tmp_path / name, hello)
    assert os.listdir(tmp_path) == [name]


@pytest.mark.fault
@pytest.mark.skipif(os.name != "posix", reason="kill -9 is POSIX")
def test_a_killed_writer_leaves_the_old_file(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"old")
    code = (
        "import sys, time\nfrom ptycho_nb.files import write_atomic\n"
        "def slow(s):\n    s.write(b'half'); s.flush(); sys.stdout.write('x'); sys.stdout.flush(); time.sleep(60)\n"
        f"write_atomic({str(tmp_path / 'a.txt')!r}, slow)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as writer:
        assert writer.stdout.read(1) == b"x"
        writer.send_signal(signal.SIGKILL)
    assert (tmp_path / "a.txt").read_bytes() == b"old"
