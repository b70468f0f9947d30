"""Tests of skfacies.datasets.fetch_f3, with a small archive from a server on this machine."""

import hashlib
import http.server
import io
import os
import shutil
import threading
import zipfile

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skfacies.datasets import _f3 as _download
from skfacies.datasets import fetch_f3

SHAPES = {"train": (4, 7, 5), "test1": (2, 7, 5), "test2": (6, 2, 5)}


def make_arrays():
    rng = np.random.default_rng(0)
    return {
        block: (rng.uniform(-1, 1, shape), rng.integers(0, 6, shape, dtype=np.uint8))
        for block, shape in SHAPES.items()
    }


def make_archive(arrays, *, leave_out=(), extra=()):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for block, pair in arrays.items():
            folder = "data/train" if block == "train" else "data/test_once"
            for kind, array in zip(("seismic", "labels"), pair, strict=True):
                name = f"{folder}/{block}_{kind}.npy"
                if name not in leave_out:
                    member = io.BytesIO()
                    np.save(member, array)
                    archive.writestr(name, member.getvalue())
        for name in extra:
            archive.writestr(name, b"evil")
    return buffer.getvalue()


class Host(http.server.BaseHTTPRequestHandler):
    """Serves one file, and follows a script: one word a request, the last one for all others."""

    def do_GET(self):
        host = self.server
        host.requests.append(self.headers.get("Range"))
        word = host.script.pop(0) if len(host.script) > 1 else host.script[0]
        if isinstance(word, int):
            self.send_response(word)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = host.content if word != "portal" else b"<html>Please log in</html>"
        start = 0
        if self.headers.get("Range") and word != "no ranges":
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = len(content) if word != "truncated" else (start + len(content)) // 2
        self.wfile.write(content[start:end])

    def log_message(self, *args):
        pass


@pytest.fixture
def arrays():
    return make_arrays()


@pytest.fixture
def host(monkeypatch, arrays):
    """Server of a small archive, which the module takes for the real one."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Host)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    server.requests, server.script = [], ["whole"]

    def serve(content):
        server.content = content
        monkeypatch.setattr(_download, "SIZE", len(content))
        monkeypatch.setattr(_download, "MD5", hashlib.md5(content).hexdigest())

    server.serve = serve
    serve(make_archive(arrays))
    monkeypatch.setattr(_download, "URL", f"http://127.0.0.1:{server.server_port}/data.zip")
    monkeypatch.setattr(_download, "SHAPES", SHAPES)
    monkeypatch.setattr(_download, "CHUNK", 256)
    monkeypatch.setenv("NO_PROXY", "*")
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def fetch(host, tmp_path):
    def fetch(subset="train", **options):
        return fetch_f3(subset, data_home=tmp_path, **{"delay": 0.001, "verbose": 0, **options})

    return fetch


def files_in(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_block_is_unpacked_alone_and_mapped(fetch, arrays, tmp_path):
    block = fetch("train")
    assert_array_equal(block.data, arrays["train"][0])
    assert_array_equal(block.target, arrays["train"][1])
    assert isinstance(block.data, np.memmap)
    assert isinstance(block.target, np.memmap)
    assert not block.data.flags.writeable
    assert files_in(tmp_path) == ["data.zip", "train_labels.npy", "train_seismic.npy"]


def test_what_is_known_of_a_block(fetch):
    block = fetch("test2")
    assert block.target_names[0] == "upper_ns"
    assert block.colors[5].tolist() == [215, 48, 39]
    assert (block.inlines[0], block.inlines[-1], len(block.inlines)) == (100, 700, 601)
    assert (block.crosslines[0], block.crosslines[-1], len(block.crosslines)) == (1001, 1200, 200)
    assert "crosslines 1001-1200" in block.DESCR


def test_published_facts_agree_with_each_other():
    """Of the real archive; lines are inclusive."""
    shapes = {"train": (401, 701, 255), "test1": (200, 701, 255), "test2": (601, 200, 255)}
    assert shapes == _download.SHAPES
    assert (len(_download.UNITS), len(_download.MD5), _download.SIZE) == (6, 32, 1051449986)


@pytest.mark.parametrize("subset", ["all", ["train", "test1", "test2"]])
def test_several_blocks_come_by_name(fetch, arrays, subset):
    blocks = fetch(subset)
    assert list(blocks) == ["train", "test1", "test2"]
    for block, (data, target) in arrays.items():
        assert_array_equal(blocks[block].data, data)
        assert_array_equal(blocks[block].target, target)


def test_second_call_makes_no_request_and_other_blocks_come_from_the_archive(fetch, host):
    fetch("train")
    fetch("train", download_if_missing=False)
    fetch("test1", download_if_missing=False)
    fetch(["test2", "test1"])
    assert len(host.requests) == 1


def test_archive_is_deleted_if_asked(fetch, host, tmp_path):
    fetch("test1", keep_archive=False)
    assert files_in(tmp_path) == ["test1_labels.npy", "test1_seismic.npy"]
    fetch("test1")
    assert len(host.requests) == 1
    fetch("test2")
    assert len(host.requests) == 2


def test_truncated_transfers_are_resumed(fetch, host, arrays):
    host.script = ["truncated", "truncated", "truncated", "whole"]
    assert_array_equal(fetch(n_retries=0).data, arrays["train"][0])
    assert host.requests[0] is None
    resumed = [int(asked.removeprefix("bytes=").removesuffix("-")) for asked in host.requests[1:]]
    assert len(resumed) == 3
    assert resumed == sorted(resumed)
    assert resumed[0] > 0.4 * len(host.content)


def test_a_later_call_goes_on_where_an_earlier_one_ended(fetch, host, arrays, tmp_path):
    (tmp_path / "f3").mkdir()
    (tmp_path / "f3" / "data.zip.part").write_bytes(host.content[:1000])
    assert_array_equal(fetch().data, arrays["train"][0])
    assert host.requests == ["bytes=1000-"]


def test_server_without_ranges_begins_again(fetch, host, arrays):
    host.script = ["truncated", "no ranges"]
    assert_array_equal(fetch().data, arrays["train"][0])


def test_beginning_of_another_file_is_not_kept(fetch, host, arrays, tmp_path):
    (tmp_path / "f3").mkdir()
    (tmp_path / "f3" / "data.zip.part").write_bytes(b"x" * 1000)
    with pytest.raises(OSError, match="whose MD5 hash is not"):
        fetch()
    assert files_in(tmp_path) == []
    assert_array_equal(fetch().data, arrays["train"][0])


def test_range_that_the_server_refuses_begins_again(fetch, host, arrays, tmp_path):
    (tmp_path / "f3").mkdir()
    (tmp_path / "f3" / "data.zip.part").write_bytes(b"x")
    host.script = [416, "whole"]
    assert_array_equal(fetch().data, arrays["train"][0])
    assert host.requests == ["bytes=1-", None]


@pytest.mark.parametrize("status", [503, 429, 500])
def test_errors_of_a_busy_server_are_tried_again(fetch, host, arrays, status):
    host.script = [status, status, "whole"]
    assert_array_equal(fetch(n_retries=2).data, arrays["train"][0])
    assert len(host.requests) == 3


def test_a_server_that_stays_busy_is_given_up(fetch, host, tmp_path):
    host.script = [503]
    with pytest.raises(OSError, match=r"could not be downloaded: 503 .*Call again to go on"):
        fetch(n_retries=2)
    assert len(host.requests) == 3
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("status", [404, 403])
def test_permanent_errors_are_not_tried_again(fetch, host, tmp_path, status):
    host.script = [status]
    with pytest.raises(OSError, match=f"could not be downloaded: {status} .*by other means"):
        fetch()
    assert len(host.requests) == 1
    assert files_in(tmp_path) == []


def test_no_server_at_all(fetch, host, monkeypatch):
    host.shutdown()
    host.server_close()
    with pytest.raises(OSError, match="could not be downloaded"):
        fetch(n_retries=1)


def test_page_of_a_login_portal_is_no_archive(fetch, host, tmp_path):
    host.script = ["portal"]
    with pytest.raises(OSError, match=r"the server offers a file of 26 bytes instead of"):
        fetch()
    assert len(host.requests) == 1
    assert files_in(tmp_path) == []


def test_archive_with_a_wrong_hash_leaves_nothing(fetch, host, tmp_path, arrays):
    right = host.content
    host.content = right[:-1] + b"x"
    with pytest.raises(OSError, match=r"MD5 hash is not .*Nothing of it was kept"):
        fetch()
    assert files_in(tmp_path) == []
    host.content = right
    assert_array_equal(fetch().data, arrays["train"][0])


def test_members_that_would_leave_the_folder_are_not_unpacked(fetch, host, arrays, tmp_path):
    evil = ["../evil.npy", "/tmp/skfacies-evil.npy", "data/train/../../../evil.npy"]
    host.serve(make_archive(arrays, extra=evil))
    fetch("all")
    expected = sorted([f"{block}_{kind}.npy" for block in SHAPES for kind in ("labels", "seismic")])
    assert files_in(tmp_path) == ["data.zip", *expected]
    assert not list(tmp_path.parent.glob("*.npy"))
    assert not os.path.exists("/tmp/skfacies-evil.npy")


def test_missing_member(fetch, host, arrays, tmp_path):
    host.serve(make_archive(arrays, leave_out=["data/train/train_labels.npy"]))
    with pytest.raises(OSError, match=r"has no member 'data/train/train_labels.npy'"):
        fetch()
    assert files_in(tmp_path) == ["data.zip"]


@pytest.mark.parametrize("damage", ["no archive", "one byte"])
def test_archive_that_is_damaged_in_spite_of_its_hash(fetch, host, arrays, tmp_path, damage):
    content = bytearray(make_archive(arrays))
    if damage == "no archive":
        content = b"<html>" * 100
    else:
        content[content.index(b"train_seismic.npy") + 300] ^= 255
    host.serve(bytes(content))
    with pytest.raises(OSError, match="is damaged and was deleted"):
        fetch()
    assert files_in(tmp_path) == []


def test_nothing_is_downloaded_if_not_allowed(fetch, host, tmp_path):
    with pytest.raises(OSError, match=r"download_if_missing=False\. Allow the download, or put"):
        fetch(download_if_missing=False)
    assert host.requests == []
    assert not list(tmp_path.iterdir())


def test_archive_put_there_by_hand(fetch, host, tmp_path, arrays):
    (tmp_path / "f3").mkdir()
    (tmp_path / "f3" / "data.zip").write_bytes(host.content)
    assert_array_equal(fetch(download_if_missing=False).data, arrays["train"][0])
    assert host.requests == []


def test_another_archive_put_there_by_hand(fetch, host, tmp_path, arrays):
    (tmp_path / "f3").mkdir()
    (tmp_path / "f3" / "data.zip").write_bytes(b"another")
    with pytest.raises(OSError, match=r"is not the F3 archive.*delete it or allow the download"):
        fetch(download_if_missing=False)
    assert files_in(tmp_path) == ["data.zip"]
    assert_array_equal(fetch().data, arrays["train"][0])


def test_disk_without_room(fetch, host, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(OSError, match=r"GB are needed in .* 0.00 GB are free.*SKFACIES_DATA"):
        fetch()
    assert host.requests == []


def test_folder_of_the_environment(host, tmp_path, monkeypatch):
    monkeypatch.setenv("SKFACIES_DATA", str(tmp_path / "elsewhere"))
    fetch_f3("test1", verbose=0)
    assert (tmp_path / "elsewhere" / "f3" / "test1_labels.npy").exists()


def test_folder_in_the_home_of_the_user(monkeypatch, tmp_path):
    monkeypatch.delenv("SKFACIES_DATA", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    with pytest.raises(OSError, match="skfacies_data.*download_if_missing=False"):
        fetch_f3(download_if_missing=False)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", None])
def test_unpacked_file_that_was_damaged_later(fetch, tmp_path, content):
    fetch()
    path = tmp_path / "f3" / "train_labels.npy"
    if content is None:
        np.save(path, np.zeros(3))
    else:
        path.write_bytes(content)
    with pytest.raises(OSError, match=r"train_labels.npy' is not as it was unpacked.*Delete it"):
        fetch()


def test_progress_is_shown(fetch, capsys):
    fetch(verbose=1)
    assert "F3 archive: 100%" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"subset": "test"}, "`subset` must be one of 'train', 'test1', 'test2'.*got 'test'"),
        ({"subset": []}, r"`subset` must be .*got \[\]"),
        ({"subset": ["train", 1]}, "`subset` must be"),
        ({"subset": None}, "`subset` must be .*got None"),
        ({"n_retries": -1}, "`n_retries` must be a number >= 0; got -1"),
        ({"n_retries": 1.5}, "`n_retries` must be a number >= 0; got 1.5"),
        ({"delay": np.nan}, "`delay` must be a number >= 0; got nan"),
    ],
)
def test_refused_parameters(fetch, host, options, message):
    with pytest.raises(ValueError, match=message):
        fetch(**options)
    assert host.requests == []
