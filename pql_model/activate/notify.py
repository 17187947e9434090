"""Notifications through Apprise, which is not installed unless it is asked for."""

from __future__ import annotations

from typing import Any

from pql_model.activate.http_sender import Answer
from pql_model.errors import DataError


def send_notification(urls: str, title: str, body: str) -> Answer:
    """Send one text to the services that Apprise URLs name.

    Parameters
    ----------
    urls
        One or more URLs, separated by spaces.

    Raises
    ------
    DataError
        If Apprise is not installed, or knows none of the services.
    """
    sender = _apprise().Apprise(asset=_apprise().AppriseAsset(app_id="pql-model", storage_mode="memory"))
    if not all(sender.add(url) for url in urls.split()):
        raise DataError(
            "The environment holds a URL that Apprise does not know",
            allowed="URLs such as mailto://user:password@example.com, as https://appriseit.com lists them",
        )
    sent = sender.notify(title=title, body=body, body_format="text")
    return Answer("sent", "sent") if sent else Answer("unavailable", "Apprise could not send it")


def _apprise() -> Any:
    try:
        import apprise
    except ImportError as error:
        raise DataError(
            "A target of kind `notify` needs Apprise, which is not installed", remedy="pip install 'pql-model[notify]'"
        ) from error
    return apprise
