//! What is rendered is what Jinja2 renders: `crates/core/tests/reference/templates.py` wrote it down.

use std::fmt;
use std::rc::Rc;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::{RenderBudget, Template, Value, render};
use crate::Result;
use crate::job::Cancel;

#[derive(Deserialize)]
struct Reference {
    now: i64,
    contexts: Vec<Json>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    template: String,
    context: usize,
    /// `None`: it fails.
    text: Option<String>,
}

/// JSON whose keys keep their order.
enum Json {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Json>),
    Map(Vec<(String, Json)>),
}

impl Json {
    fn value(&self, budget: &Rc<RenderBudget>) -> Result<Value> {
        Ok(match self {
            Json::Null => Value::None,
            Json::Bool(value) => Value::Bool(*value),
            Json::Int(value) => Value::Int(*value),
            Json::Float(value) => Value::Float(*value),
            Json::Text(text) => Value::text(budget, text, true)?,
            Json::List(items) => {
                let items: Result<Vec<Value>> = items.iter().map(|item| item.value(budget)).collect();
                Value::list(budget, items?)?
            }
            Json::Map(entries) => {
                let entries: Result<Vec<_>> = (entries.iter())
                    .map(|(key, value)| Ok((Value::text(budget, key, false)?, value.value(budget)?)))
                    .collect();
                Value::map(budget, entries?)?
            }
        })
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Int(value as i64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Json::Map(map))
    }
}

fn rendered(template: &str, context: &Json, now: i64) -> Result<String> {
    let template = Template::new(template)?;
    let budget = RenderBudget::new(16 << 20, 1_000_000, &Cancel::new());
    let Json::Map(entries) = context else { panic!("a context is a mapping") };
    let names = ["messages", "tools", "documents", "add_generation_prompt", "bos_token", "eos_token"];
    let mut variables = Vec::new();
    for (name, value) in entries {
        let name = names.into_iter().find(|known| known == name).expect("a known variable");
        variables.push((name, value.value(&budget)?));
    }
    Ok(render(&template, &budget, variables, Some(now))?.into_parts().0)
}

#[test]
fn templates_render_as_jinja2_renders_them() {
    let reference: Reference =
        serde_json::from_str(include_str!("../../../tests/reference/templates.json")).unwrap();
    let mut wrong = Vec::new();
    for case in &reference.cases {
        let got = rendered(&case.template, &reference.contexts[case.context], reference.now);
        if got.as_ref().ok() != case.text.as_ref() {
            wrong.push(format!("{}\nwanted {:?}\ngot    {got:?}", case.template, case.text));
        }
    }
    assert!(reference.cases.len() > 150);
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n\n"));
}
