"""The landing page at `/`: a description of the service and its model, and a form to try it."""

from __future__ import annotations

import base64
import hashlib
import html
import json

from pql_model.serve.bundle import Bundle
from pql_model.serve.openapi import example_request

_STYLE = """
:root { color-scheme: light dark; --ink: #1c1d22; --quiet: #5a5d66; --line: #d9d9d6; --ground: #fcfbf9; --mark: #1955b0; }
@media (prefers-color-scheme: dark) { :root { --ink: #e9e8e4; --quiet: #a3a5ab; --line: #3a3b40; --ground: #17181b; --mark: #8db8f5; } }
body { margin: 0 auto; max-width: 46rem; padding: 2.5rem 1.25rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.6 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.1rem; margin: 2.5rem 0 .5rem; }
p, li { max-width: 38rem; }
code, textarea, pre { font: .875rem/1.5 ui-monospace, monospace; }
a { color: var(--mark); }
table { border-collapse: collapse; width: 100%; }
td { border-top: 1px solid var(--line); padding: .4rem .75rem .4rem 0; vertical-align: top; }
label { display: block; font-weight: 600; margin: .75rem 0 .25rem; }
textarea, input { box-sizing: border-box; width: 100%; padding: .5rem; border: 1px solid var(--quiet); border-radius: .3rem;
  background: transparent; color: inherit; }
textarea { min-height: 14rem; }
button { margin-top: .75rem; padding: .5rem 1.25rem; border: 1px solid var(--mark); border-radius: .3rem; background: var(--mark);
  color: var(--ground); font: inherit; cursor: pointer; }
pre { overflow: auto; padding: .75rem; border: 1px solid var(--line); border-radius: .3rem; white-space: pre-wrap; }
.quiet { color: var(--quiet); }
"""
_SCRIPT = """
const byId = (id) => document.getElementById(id);
byId("go").addEventListener("click", async () => {
  const headers = { "content-type": "application/json" };
  if (byId("key").value) headers["x-api-key"] = byId("key").value;
  byId("result").textContent = "\\u2026";
  try {
    const response = await fetch("score", { method: "POST", headers, body: byId("body").value });
    const row = await response.json();
    const summary = row.error ? row.error.message
      : Math.round(100 * row.probability) + " of 100 like this convert; "
        + (row.is_pql === null ? "" : row.is_pql ? "a lead. " : "not a lead. ") + row.reasons.map((r) => r.words).join("; ");
    byId("result").textContent = summary + "\\n\\n" + JSON.stringify(row, null, 2);
  } catch (error) { byId("result").textContent = "No answer: " + error; }
});
"""
_PATHS = (
    ("POST /score", "one entity: raw events and traits, or finished features"),
    ("POST /score_batch", "up to 1,000 entities; an invalid one gives an error in its row"),
    ("POST /lookup", "the latest batch scores of entities"),
    ("GET /model", "name, version, training data, metrics with intervals, features"),
    ("GET /criteria", "the rules that were found, and how they performed"),
    ("GET /report", "the growth report"),
    ("GET /leads", "the list of leads that `pql leads` wrote last"),
    ("GET /openapi.json", "the API description for programs"),
    ("GET /readyz, /livez, /metrics", "health checks, Prometheus metrics"),
)


def landing_page(bundle: Bundle) -> tuple[str, str]:
    """Render the page and the content security policy to send with it."""
    about, esc = bundle.about, html.escape
    entity = esc(str(about["entity"]))
    entity_text = f"a {entity}" if entity == "user" else f"an {entity}"
    example = json.dumps(example_request(bundle), indent=2, ensure_ascii=False)
    rows = "".join(
        f"<tr><td><code>{esc(path)}</code></td><td>{esc(description)}</td></tr>" for path, description in _PATHS
    )
    trained = about["trained_on"]
    text = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{esc(bundle.name)}: product-qualified leads</title><style>{_STYLE}</style></head><body><main>
<h1>How likely is this {entity} to pay?</h1>
<p>For <strong>{esc(bundle.name)}</strong>, this service says how likely {entity_text} is to pay within {esc(str(about["horizon"]))} of a given
instant, why, and whether it is a lead. It was trained on {trained["entities"]:,} {entity}s, {trained["converting_entities"]:,} of which
converted, between {esc(str(trained["from"])[:10])} and {esc(str(trained["to"])[:10])}.</p>
<p class="quiet">Version {esc(bundle.version)}, verdict {esc(str(about["verdict"]))}. It predicts; it does not say what would make
{entity_text} pay.</p>
<h2>Try it</h2>
<label for="body">{entity_text.capitalize()} and its events</label><textarea id="body" spellcheck="false">{esc(example)}</textarea>
<label for="key">API key, if the service requires one</label><input id="key" type="password" autocomplete="off">
<button id="go" type="button">Score</button>
<pre id="result" aria-live="polite">The result appears here.</pre>
<h2>For programs</h2><table>{rows}</table>
</main><script>{_SCRIPT}</script></body></html>
"""
    policy = f"default-src 'none'; connect-src 'self'; style-src '{_digest(_STYLE)}'; script-src '{_digest(_SCRIPT)}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    return text, policy


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
