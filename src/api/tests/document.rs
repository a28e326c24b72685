//! The OpenAPI document: complete, valid, and the same as what the pages are told.

use std::collections::{BTreeMap, BTreeSet};

use super::super::guard::Needs;
use super::super::routes::{Document, table};
use super::*;

fn whole() -> Value {
    serde_json::from_str(Document::of(&table()).text()).unwrap()
}

/// Each operation with its path and method.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().iter();
            methods.map(move |(method, operation)| (method.to_uppercase(), path.clone(), operation.clone()))
        })
        .collect()
}

#[test]
fn no_route_lacks_a_sentence_and_an_answer() {
    let mut lacking = Vec::new();
    for route in table() {
        let name = format!("{} {}", route.method, route.path);
        if !route.summary.ends_with('.') || !route.summary.starts_with(char::is_uppercase) {
            lacking.push(format!("{name}: a sentence"));
        }
        if route.gives.is_empty() {
            lacking.push(format!("{name}: what it gives"));
        }
    }
    assert!(lacking.is_empty(), "routes lack something:\n{}", lacking.join("\n"));
}

#[test]
fn the_document_is_valid() {
    let document = whole();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."), "{}", document["openapi"]);
    assert!(!document["info"]["title"].is_null() && !document["info"]["version"].is_null());
    let operations = operations(&document);
    assert_eq!(operations.len(), table().len(), "every route is one operation");
    let mut ids = BTreeSet::new();
    for (method, path, operation) in &operations {
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{method} {path}");
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.contains_key("default"), "{method} {path} says how it refuses");
        for (status, response) in responses {
            assert!(status == "default" || status.parse::<u16>().is_ok_and(|n| (100..600).contains(&n)));
            assert!(response["description"].is_string(), "{method} {path} {status}");
        }
        let named: BTreeSet<&str> =
            path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let mut seen = BTreeSet::new();
        for parameter in &parameters {
            let (name, place) = (parameter["name"].as_str().unwrap(), parameter["in"].as_str().unwrap());
            assert!(seen.insert((name, place)), "{method} {path}: {name} twice");
            assert!(!parameter["schema"].is_null(), "{method} {path}: {name} has no schema");
            assert!(place != "path" || parameter["required"] == true && named.contains(name));
        }
        let in_path = seen.iter().filter(|(_, place)| *place == "path").count();
        assert_eq!(in_path, named.len(), "{method} {path}");
    }
    let mut missing = BTreeSet::new();
    references(&document, &mut |to| {
        let found = to.strip_prefix("#/").and_then(|to| document.pointer(&format!("/{to}")));
        if found.is_none() {
            missing.insert(to.to_owned());
        }
    });
    assert!(missing.is_empty(), "these are referred to and are not there: {missing:?}");
}

fn references(value: &Value, found: &mut impl FnMut(&str)) {
    match value {
        Value::Object(object) => {
            if let Some(Value::String(to)) = object.get("$ref") {
                found(to);
            }
            object.values().for_each(|value| references(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| references(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Two shapes of one name would be one in the document.
#[test]
fn each_name_is_one_shape() {
    let mut shapes: BTreeMap<String, Value> = BTreeMap::new();
    let mut twice = BTreeSet::new();
    for (name, schema) in Document::shapes(&table()) {
        let schema = serde_json::to_value(schema).unwrap();
        if shapes.get(&name).is_some_and(|before| *before != schema) {
            twice.insert(name.clone());
        }
        shapes.insert(name, schema);
    }
    assert!(twice.is_empty(), "give one of each another name by #[schema(as = …)]: {twice:?}");
}

#[test]
fn what_a_route_needs_is_told() {
    for (method, path, operation) in operations(&whole()) {
        let open = operation["security"].as_array().is_some_and(Vec::is_empty);
        assert_eq!(operation["x-needs"].as_array().unwrap().is_empty(), open, "{method} {path}");
    }
    let open: Vec<&str> = table().iter().filter(|r| r.needs == Needs::Nothing).map(|r| r.path).collect();
    assert!(open.contains(&"/session"));
}

#[tokio::test]
async fn everybody_may_read_the_document() {
    let house = House::new().await;
    let answer = house.stranger().get("/openapi.json").await;
    assert_eq!((answer.status, answer.headers["content-type"].as_str()), (200, "application/json"));
    assert_eq!(answer.json(), whole());
}

/// `types.ts` and `admin.ts` are what the pages are built against.
#[test]
fn the_table_holds_what_the_pages_are_told() {
    let mut told = BTreeSet::new();
    for text in [include_str!("../../../web/src/api/types.ts"), include_str!("../../../web/src/api/admin.ts")]
    {
        let kinds = kinds(text);
        for line in text.lines().filter_map(|line| line.strip_prefix("// ")) {
            told.extend(routes_of(line, &kinds));
        }
    }
    let ours: BTreeSet<String> =
        table().iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    let (missing, more): (Vec<_>, Vec<_>) =
        (told.difference(&ours).collect(), ours.difference(&told).collect());
    assert!(
        missing.is_empty() && more.is_empty(),
        "told and not there: {missing:#?}\nthere and not told: {more:#?}"
    );
}

/// What `{kind}` stands for: the words of the type `Kind`.
fn kinds(text: &str) -> Vec<String> {
    let line = text.lines().find_map(|line| line.strip_prefix("export type Kind = "));
    let words = line.unwrap_or_default().split('|').map(|word| word.trim().trim_matches('\'').to_owned());
    words.filter(|word| !word.is_empty()).collect()
}

/// The routes that a line tells of: `GET /calls?since&until -> …`, `PUT /session/password {old, new}`,
/// `POST /calls/{id}/recording/pause | resume | withdraw`.
fn routes_of(line: &str, kinds: &[String]) -> Vec<String> {
    let mut words = line.split_whitespace();
    let method = words.next().filter(|word| ["GET", "POST", "PUT", "DELETE"].contains(word));
    let (Some(method), Some(path)) = (method, words.next()) else { return Vec::new() };
    let path = path.split('?').next().unwrap();
    if path == "/openapi.json" {
        return Vec::new();
    }
    let mut paths = vec![path.to_owned()];
    let mut rest = words.peekable();
    while rest.peek() == Some(&"|") {
        rest.next();
        let base = path.rsplit_once('/').unwrap().0;
        paths.push(format!("{base}/{}", rest.next().unwrap()));
    }
    let each = |path: String| match path.contains("{kind}") {
        true => kinds.iter().map(|kind| path.replace("{kind}", kind)).collect(),
        false => vec![path],
    };
    paths.into_iter().flat_map(each).map(|path| format!("{method} {path}")).collect()
}
