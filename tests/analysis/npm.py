"""Packages from npm that only tests need: installed when first asked for, below build/npm."""

import fcntl
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 300
PLAYWRIGHT = 'playwright-core@1.65.1'


def package(name: str) -> Path:
    """Its folder. name: with its version, `thing@1.2.3`. Skips the test that asks where it cannot be
    had."""
    folder = ROOT / 'build/npm' / name.replace('/', '-')
    there = folder / 'node_modules' / name.rsplit('@', 1)[0]
    if not shutil.which('node') or not shutil.which('npm'):
        pytest.skip(f'node and npm are missing: no {name}')
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / 'lock', 'w', encoding='utf-8') as lock:   # tests run beside each other
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not there.is_dir():
            got = subprocess.run(
                ['npm', 'install', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund',
                 name], capture_output=True, text=True, timeout=SECONDS, check=False)
            if got.returncode:
                pytest.skip(f'npm cannot install {name}: {got.stderr[-300:]}')
    return there
