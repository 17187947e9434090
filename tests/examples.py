"""How many examples a property test draws: few in every run, many under `--hypothesis-profile=heavy`."""

from __future__ import annotations

from collections.abc import Collection

from hypothesis import HealthCheck, settings

HEAVY = "heavy"
LIGHT = "light"
_LIGHT_SHARE = 1 / 4
_LEAST = 3

settings.register_profile(HEAVY, deadline=None)
settings.register_profile(LIGHT, deadline=None)


def examples(heavy: int, suppress: Collection[HealthCheck] = ()) -> settings:
    """Return Hypothesis settings for a property test.

    Parameters
    ----------
    heavy
        Number of examples under the heavy profile. Any other profile draws a quarter of them, at least three.
    suppress
        Health checks to switch off.
    """
    count = heavy if settings.get_current_profile_name() == HEAVY else max(_LEAST, round(heavy * _LIGHT_SHARE))
    return settings(max_examples=count, deadline=None, suppress_health_check=list(suppress))
