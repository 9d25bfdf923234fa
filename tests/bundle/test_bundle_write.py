from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from luthier.bundle import MANIFEST, _swap, check_files, read_manifest, seal, staged
from luthier.errors import BundleError

ROOT = Path(__file__).parent.parent.parent


def weights(bundle: Path) -> bytes:
    check_files(bundle, read_manifest(bundle))
    return (bundle / "model.safetensors").read_bytes()


def leftovers(directory: Path) -> list[str]:
    return [entry.name for entry in directory.iterdir() if "partial" in entry.name]


def write(target: Path, filler, content: bytes, then=lambda: None) -> None:
    with staged(target) as staging:
        seal(staging, filler(staging, content))
        then()


def test_a_new_bundle_appears_whole(tmp_path, filler):
    with staged(tmp_path / "deep" / "er" / "模 型") as staging:
        assert not (tmp_path / "deep" / "er" / "模 型").exists()
        seal(staging, filler(staging, b"new"))
    assert weights(tmp_path / "deep" / "er" / "模 型") == b"new"
    assert leftovers(tmp_path / "deep" / "er") == []


def test_an_old_bundle_is_replaced_as_a_whole(bundle, filler):
    (bundle / "notes.txt").write_text("mine")
    write(bundle, filler, b"new")
    assert weights(bundle) == b"new"
    assert not (bundle / "notes.txt").exists()
    assert leftovers(bundle.parent) == []


def test_an_empty_directory_is_filled(tmp_path, filler):
    (tmp_path / "out").mkdir()
    write(tmp_path / "out", filler, b"new")
    assert weights(tmp_path / "out") == b"new"


def test_relative_paths_and_a_change_of_directory_in_between(tmp_path, filler, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    with staged("out/") as staging:
        monkeypatch.chdir(tmp_path / "elsewhere")
        seal(staging, filler(staging))
    assert weights(tmp_path / "out") == b"weights"


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ValueError, SystemExit])
def test_an_exception_leaves_the_old_bundle_and_nothing_else(bundle, filler, stop):
    def interrupt():
        raise stop

    with pytest.raises(stop):
        write(bundle, filler, b"new", interrupt)
    assert weights(bundle) == b"weights"
    assert leftovers(bundle.parent) == []


def test_a_block_that_seals_nothing_replaces_nothing(bundle, filler):
    with pytest.raises(BundleError, match="was not sealed"), staged(bundle) as staging:
        filler(staging, b"new")
    assert weights(bundle) == b"weights"


def test_foreign_files_are_never_replaced(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(BundleError, match="files that are not a Luthier bundle"), staged(tmp_path):
        pass
    with pytest.raises(BundleError, match="is a file"), staged(tmp_path / "thesis.txt"):
        pass
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_foreign_files_that_come_while_writing_are_not_replaced(tmp_path, filler):
    def meanwhile():
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "thesis.txt").write_text("x")

    with pytest.raises(BundleError, match="would be lost"):
        write(tmp_path / "out", filler, b"new", meanwhile)
    assert (tmp_path / "out" / "thesis.txt").exists()


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BundleError, match="cannot write a bundle"), staged(tmp_path / "file" / "out"):
        pass


def no_space(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_at_the_last_step_replaces_nothing(bundle, filler, monkeypatch):
    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(BundleError, match="disk full while writing") as caught:
        write(bundle, filler, b"new")
    assert "nothing was replaced" in caught.value.problem
    assert "free space" in caught.value.fix
    monkeypatch.undo()
    assert weights(bundle) == b"weights"
    assert leftovers(bundle.parent) == []


@pytest.mark.parametrize("error", [
    OSError(errno.ENOSPC, "x"), OSError(errno.EDQUOT, "x"),
    RuntimeError('IoError(Os { code: 28, kind: StorageFull, message: "No space left on device" })'),
])
def test_a_full_disk_is_known_by_whatever_a_library_raises(bundle, error):
    with pytest.raises(BundleError, match="disk full"), staged(bundle):
        raise error
    assert weights(bundle) == b"weights"


def test_other_errors_pass_through_as_they_are(bundle):
    with pytest.raises(OSError, match="Permission"), staged(bundle):
        raise PermissionError(errno.EACCES, "Permission denied")


@pytest.mark.slow
def test_a_process_killed_while_writing_leaves_the_old_bundle_whole(bundle, filler):
    code = ("import sys, time; from luthier.bundle import staged\n"
            "with staged(sys.argv[1]) as staging:\n"
            "    (staging / 'model.safetensors').write_bytes(b'half')\n"
            "    print('writing', flush=True); time.sleep(60)\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    with subprocess.Popen([sys.executable, "-c", code, str(bundle)], stdout=subprocess.PIPE, env=environment) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"writing\n"
        # A second writer leaves a living one alone …
        write(bundle, filler, b"second")
        assert len(leftovers(bundle.parent)) == 1
        child.send_signal(signal.SIGKILL)
    assert weights(bundle) == b"second"
    # … and clears up after a dead one.
    write(bundle, filler, b"third")
    assert weights(bundle) == b"third"
    assert leftovers(bundle.parent) == []


def test_where_names_cannot_be_exchanged_the_old_bundle_is_moved_aside(bundle, filler, monkeypatch):
    monkeypatch.setattr(_swap, "_exchange", lambda *_: False)
    write(bundle, filler, b"new")
    assert weights(bundle) == b"new"
    assert leftovers(bundle.parent) == []


def test_a_second_move_that_fails_puts_the_old_bundle_back(bundle, filler, monkeypatch):
    monkeypatch.setattr(_swap, "_exchange", lambda *_: False)
    moves = []
    rename = Path.rename

    def second_fails(self: Path, target: Path) -> Path:
        moves.append(target)
        if len(moves) == 2:
            raise PermissionError(errno.EACCES, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", second_fails)
    with pytest.raises(PermissionError):
        write(bundle, filler, b"new")
    assert weights(bundle) == b"weights"
    assert leftovers(bundle.parent) == []


def test_an_old_bundle_that_was_left_aside_is_put_back(bundle, filler):
    bundle.rename(bundle.with_name(".bundle.partial-00000000-old"))
    with pytest.raises(ValueError, match="stop"), staged(bundle):
        raise ValueError("stop")
    assert weights(bundle) == b"weights"


@pytest.mark.slow
def test_readers_see_a_whole_bundle_at_every_moment(bundle, filler):
    code = ("import sys, time; from luthier.bundle import read_manifest\n"
            "end, seen = time.time() + float(sys.argv[2]), 0\n"
            "while time.time() < end: read_manifest(sys.argv[1]); seen += 1\n"
            "print(seen)\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    with subprocess.Popen([sys.executable, "-c", code, str(bundle), "0.5"], stdout=subprocess.PIPE,
                          env=environment) as child:
        while child.poll() is None:
            write(bundle, filler, b"again")
            time.sleep(0.01)
        assert child.stdout is not None
        assert int(child.stdout.read()) > 0


def test_sealing_hashes_everything_and_leaves_nothing_unfinished(tmp_path, filler):
    manifest = seal(tmp_path, filler(tmp_path))
    assert read_manifest(tmp_path) == manifest
    assert MANIFEST not in manifest.files
    assert not list(tmp_path.glob(".*"))


def test_sealing_refuses_a_bundle_with_a_file_missing(tmp_path, filler):
    manifest = filler(tmp_path)
    (tmp_path / "config.json").unlink()
    with pytest.raises(BundleError, match="cannot seal .*config.json missing"):
        seal(tmp_path, manifest)


def test_sealing_refuses_pickles_and_links(tmp_path, filler):
    manifest = filler(tmp_path)
    (tmp_path / "training_args.bin").write_bytes(b"")
    with pytest.raises(BundleError, match="is a pickle"):
        seal(tmp_path, manifest)
    (tmp_path / "training_args.bin").unlink()
    (tmp_path / "link").symlink_to(tmp_path / "config.json")
    with pytest.raises(BundleError, match="is a link"):
        seal(tmp_path, manifest)


@pytest.mark.slow
def test_every_file_can_be_read_by_others_as_the_umask_says(tmp_path: Path) -> None:
    import os

    from luthier.inference import tiny

    before = os.umask(0o022)
    try:
        bundle = tiny.make_bundle(tmp_path / "bundle")
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in bundle.rglob("*") if path.is_file()} == {0o644}


def test_a_bundle_behind_a_link_is_replaced_where_it_stands(bundle, filler, tmp_path):
    link = tmp_path / "latest"
    link.symlink_to(bundle)
    write(link, filler, b"new")
    assert link.is_symlink()
    assert weights(bundle) == b"new"
    assert leftovers(tmp_path) == leftovers(bundle.parent) == []
