import random
import string

import numpy as np
import pytest
from calls import Caller, service_of

from pql_model.serve.engine import Answer
from pql_model.serve.metrics import Metrics

NUMBERS = np.zeros(1)


def series(text):
    return {
        line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if not line.startswith("#")
    }


def counted(metrics, name):
    return {
        key: value
        for key, value in series(metrics.text().decode()).items()
        if key.startswith(name) and "_created" not in key
    }


def test_no_path_or_method_creates_a_new_series(bundle):
    call, rng = Caller(service_of(bundle.path)), random.Random(7)
    requests = [
        (rng.choice(["GET", "POST", "PUT", "BREW", "X" * k]), "/" + "".join(rng.choices(string.ascii_letters, k=6)), {})
        for k in range(1, 501)
    ]
    for k in range(0, 500, 25):
        call.together(requests[k : k + 25])

    names = {name for name in series(call("GET", "/metrics").text) if name.startswith("pql_requests_total")}
    assert names == {
        f'pql_requests_total{{endpoint="other",method="{method}",status="404"}}'
        for method in ("GET", "POST", "PUT", "other")
    }


def test_scores_are_counted_by_band_and_events_by_reason():
    metrics = Metrics(("/score",))
    metrics.scored(
        Answer({"band": "high"}, {"bot": 2, "made up": 1}, {"Teleported": 3, "Beamed": 1}, NUMBERS, "boards")
    )
    metrics.scored(Answer({"band": "high"}, {}, {}, NUMBERS, "boards"))

    assert counted(metrics, "pql_scores") == {'pql_scores_total{band="high"}': 2}
    assert counted(metrics, "pql_unknown") == {"pql_unknown_events_total": 4}
    assert counted(metrics, "pql_set_aside") == {
        'pql_set_aside_events_total{reason="bot"}': 2,
        'pql_set_aside_events_total{reason="other"}': 1,
    }


def test_only_the_current_model_is_shown(engine):
    metrics = Metrics(())
    assert counted(metrics, "pql_model_info") == {}
    metrics.model(engine)
    metrics.model(engine)

    feature_set = engine.model.manifest.hash
    assert counted(metrics, "pql_model_info") == {
        f'pql_model_info{{feature_set="{feature_set}",name="nimbus-boards",version="1"}}': 1
    }


def test_duration_and_status_are_counted():
    metrics = Metrics(("/score",))
    metrics.answered("/score", "POST", 200, 0.003)
    metrics.answered("/score", "POST", 422, 0.003)
    metrics.reloaded("reload_failed")

    result = series(metrics.text().decode())
    assert result['pql_requests_total{endpoint="/score",method="POST",status="422"}'] == 1
    assert result['pql_request_seconds_bucket{endpoint="/score",le="0.002"}'] == 0
    assert result['pql_request_seconds_bucket{endpoint="/score",le="0.005"}'] == 2
    assert result['pql_request_seconds_sum{endpoint="/score"}'] == pytest.approx(0.006)
    assert result['pql_bundle_reloads_total{result="reload_failed"}'] == 1
