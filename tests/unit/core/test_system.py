from __future__ import annotations

import errno
import os

import numpy as np
import polars as pl
import pytest

from deepfactor.core.system import RESOURCES, USERS, out_of_memory, system_error


def caught(work) -> BaseException:
    with pytest.raises(Exception) as found:  # noqa: PT011
        work()
    return found.value


def test_the_number_is_found_where_libraries_hide_it(tmp_path):
    loop, long = tmp_path / "loop", tmp_path / ("x" * 300)
    loop.symlink_to(loop)
    frame = pl.DataFrame({"a": [1]})
    for work, number in (
        (lambda: pl.read_parquet(tmp_path / "gone.parquet"), errno.ENOENT),
        (lambda: pl.read_parquet(loop), errno.ELOOP),
        (lambda: frame.write_parquet(long), errno.ENAMETOOLONG),
        (lambda: frame.write_parquet(tmp_path), errno.EISDIR),
        (lambda: frame.write_parquet("/dev/full"), errno.ENOSPC),
        (lambda: loop.open(), errno.ELOOP),
    ):
        found = system_error(caught(work))
        assert found is not None
        assert found[0] == number
        assert os.strerror(number) in found[1]
    assert system_error(caught(loop.open)) == (errno.ELOOP, f"{loop}: {os.strerror(errno.ELOOP)}")
    assert str(loop) in (system_error(caught(lambda: pl.read_parquet(loop))) or (0, ""))[1]
    assert system_error(PermissionError("denied")) == (errno.EACCES, os.strerror(errno.EACCES))


def test_other_errors_are_none():
    assert system_error(ValueError("5")) is None
    assert system_error(OSError("odd")) == (0, "odd")
    assert not USERS & RESOURCES


def test_memory_that_ran_out():
    assert out_of_memory(caught(lambda: np.zeros(2**50)))
    assert out_of_memory(caught(lambda: np.zeros(2**60)))
    assert out_of_memory(MemoryError())
    assert out_of_memory(RuntimeError("[enforce fail at alloc_cpu.cpp] can't allocate memory: you tried"))
    assert out_of_memory(type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory"))
    assert not out_of_memory(RuntimeError("shapes differ"))
