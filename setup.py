"""The compiled GRU: optional, so an install without a C++ compiler succeeds and models run on torch operations."""

from pathlib import Path

from setuptools import Extension, setup

HOME = Path("src/deepfactor/models/_kernels")
PATHS = ("dispatch", "portable", "avx2", "avx512", "bf16", "amx")

setup(
    ext_modules=[
        Extension(
            # a plain library loaded by ctypes; as an extension it is built, placed and packed by setuptools
            "deepfactor.models._kernels._gru",
            sources=[str(HOME / f"gru_{path}.cpp") for path in PATHS],
            depends=[
                str(HOME / name)
                for name in (
                    *("gru.h", "gru_amx.h", "gru_bf16.h"),
                    *("gru_body.h", "gru_patches.h", "gru_stage.h", "gru_vector.h"),
                )
            ],
            extra_compile_args=[
                "-O3",
                "-std=c++17",
                "-fno-exceptions",
                "-fno-rtti",
                "-Wno-psabi",
                "-Wno-maybe-uninitialized",
            ],
            language="c++",
            optional=True,
        )
    ]
)
