"""MkDocs hook: adds the pages of the repository's root to the site and drops links that lead outside of it.

GitHub shows README.md, CONTRIBUTING.md and CHANGELOG.md at the root. The site shows the same files, not copies.
A link from a document to a source file works on GitHub. The site has no source files and shows the link's text instead.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
# File at the root -> page of the site.
ROOT_PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]\n]+)\]\((?P<path>[^)#:\s]+)(?P<anchor>#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for name, page in ROOT_PAGES.items():
        if (ROOT / name).is_file():
            files.append(File.generated(config, page, content=(ROOT / name).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, files: Files, **_: object) -> str:
    """Translate links relative to the repository into links relative to the site."""
    roots = {page_name: name for name, page_name in ROOT_PAGES.items()}
    source = roots.get(page.file.src_uri, f"docs/{page.file.src_uri}")

    def translate(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link["path"]))
        site_path = ROOT_PAGES.get(target, target.removeprefix("docs/"))
        if files.get_file_from_path(site_path) is not None and (target in ROOT_PAGES or target.startswith("docs/")):
            relative = posixpath.relpath(site_path, posixpath.dirname(page.file.src_uri) or ".")
            return f"[{link['text']}]({relative}{link['anchor'] or ''})"
        return link["text"] if (ROOT / target).exists() else link[0]

    return _LINK.sub(translate, markdown)
