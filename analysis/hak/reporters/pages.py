"""Pages with all that they need inside and nothing fetched."""

import base64
import hashlib
import json
import re
from pathlib import Path

from hak import output, paths


def write(file: Path, folder: str, styles: list, scripts: list, data: dict) -> None:
    """The page of dashboards/FOLDER; styles, scripts: files below dashboards/."""
    style = '\n'.join(_text(name) for name in styles)
    code = [_text(name) for name in scripts]
    # What a recording says must not end the element it is in.
    told = json.dumps(data, ensure_ascii=False, separators=(',', ':')).replace('<', '\\u003c')
    hashes = ' '.join(f"'sha256-{_digest(text)}'" for text in code)
    parts = {'style': style, 'data': told,
             'scripts': '\n'.join(f'<script>{text}</script>' for text in code),
             'policy': f"default-src 'none'; style-src 'unsafe-inline'; script-src {hashes}"}
    page = re.sub(r'{{(\w+)}}', lambda match: parts[match[1]], _text(f'{folder}/{folder}.html'))
    # A name may hold halves of surrogates, which no encoding has.
    with output.opened(file, errors='replace') as out:
        out.write(page)


def _text(name: str) -> str:
    return (paths.dashboards() / name).read_text(encoding='utf-8')


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
