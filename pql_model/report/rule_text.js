// A rule as a sentence, as a definition of pql.yaml, as a statement in SQL, and a table as CSV.
function pqlRuleText(data, termsOf, least) {
  const byId = new Map(data.criteria.map((criterion) => [criterion.id, criterion]));
  const controls = new Map(data.controls.flatMap((control) => control.ids.map((id) => [id, control])));
  const plain = (text) => text.replaceAll("`", "");
  const listed = (texts, word) => (texts.length < 2 ? texts.join("") : texts.slice(0, -1).join(", ") + " " + word + " " + texts[texts.length - 1]);

  function term(ids) {
    if (ids.length === 1) return plain(byId.get(ids[0]).text);
    return plain(controls.get(ids[0]).label) + " is " + listed(ids.map((id) => byId.get(id).short), "or");
  }

  function sentence(rule) {
    const texts = termsOf(rule).map(term);
    if (rule.join === "at_least_k" && texts.length > 1) return "at least " + rule.k + " of these " + texts.length + ": " + texts.join("; ");
    return listed(texts, rule.join === "any" ? "or" : "and");
  }

  function condition(ids) {
    if (ids.length === 1) return byId.get(ids[0]).yaml;
    const head = controls.get(ids[0]).head;
    return head + ids.map((id) => byId.get(id).yaml.slice(head.length, -2)).join(", ") + "]}";
  }

  function yaml(rule) {
    const lines = termsOf(rule).map((ids) => "    - " + condition(ids) + "\n").join("");
    return "definition:\n" + (rule.join === "at_least_k" ? "  at_least_k: " + rule.k + "\n  of:\n" : "  " + rule.join + ":\n") + lines;
  }

  function sql(rule) {
    const terms = termsOf(rule), tests = data.sql ? data.sql.tests : {};
    if (!terms.every((ids) => ids.every((id) => tests[id])))
      return "-- This file holds no SQL for this rule. Save the definition above as rule.yaml; this command writes the statement:\n" +
        "-- pql criteria sql --definition rule.yaml --dialect " + (data.sql ? data.sql.dialect : "snowflake") + "\n";
    const parts = terms.map((ids) => (ids.length === 1 ? tests[ids[0]] : "(" + ids.map((id) => tests[id]).join(" OR ") + ")"));
    const k = least(rule);
    const where = k === parts.length ? parts.join("\n  AND ") : k === 1 ? "(" + parts.join("\n  OR ") + ")"
      : "(" + parts.map((part) => "CASE WHEN " + part + " THEN 1 ELSE 0 END").join("\n  + ") + ") >= " + k;
    const name = sentence(rule).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, " "); // a line break would end the comment
    return data.sql.before.replace(data.sql.rule, () => name) + where + data.sql.after + "\n";
  }

  function csv(rows) { // a cell that a spreadsheet would run as a formula gets a quote in front
    const cell = (value) => '"' + String(value).replace(/^[=+\-@\t\r]/, "'$&").replaceAll('"', '""') + '"';
    return rows.map((row) => row.map(cell).join(",") + "\r\n").join("");
  }

  return { term, sentence, yaml, sql, csv };
}
