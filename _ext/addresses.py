"""The site's own address, derived from `repository.url` in `_config.yml`.

GitHub Pages serves https://github.com/OWNER/REPO at https://OWNER.github.io/REPO/.
The 404 page needs absolute links: `BOOK_PREFIX` is the path the site is served under
(`/REPO/` on Pages, `/` when served locally).
"""

import os


def site_url(repository_url):
    owner, repo = repository_url.rstrip("/").removesuffix(".git").split("/")[-2:]
    return f"https://{owner}.github.io/{repo}/"


def derive_addresses(app, config):
    config.html_baseurl = site_url(config.html_theme_options["repository_url"])
    config.ogp_site_url = config.html_baseurl
    config.ogp_image = config.html_baseurl + "_static/card.png"
    config.ogp_image_alt = "Attention to Detail: transformers taken apart, rebuilt and measured"
    config.notfound_urls_prefix = os.environ.get("BOOK_PREFIX", "/")


def setup(app):
    app.connect("config-inited", derive_addresses, priority=100)   # before the extensions that read them
    return {"parallel_read_safe": True}
