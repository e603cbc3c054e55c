use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::graph::testing::graph;
use crate::graph::{CodeGraph, LinkKind};

const SHOP: &str = r#"
== lib/shop.ex
defmodule Shop do
  def left <> right, do: Shop.Cart.add(left, right)
  defmodule Cart do
    def add(cart, item) do
      sum(cart)
      sum(item)
    end
    defp sum(x), do: apply(Shop, :<>, [x, x])
  end
end
== test/shop_test.exs
defmodule ShopTest do
  describe "a cart" do
    test "says \"<&>\"\\", do: Shop.Cart.add(1, 2)
  end
end
"#;

fn export(files: &str, format: Format) -> String {
    Export::new().holders(true).text(&graph(files), format)
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

fn ids(graph: &CodeGraph) -> Vec<String> {
    let value = json(&Export::new().text(graph, Format::Json));
    value["nodes"].as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn json_has_all_of_nodes_and_edges() {
    let value = json(&export(SHOP, Format::Json));
    let add = value["nodes"].as_array().unwrap().iter().find(|node| node["id"] == "Shop.Cart.add/2").unwrap();
    assert_eq!(
        *add,
        serde_json::json!({
            "id": "Shop.Cart.add/2", "kind": "function", "module": "Shop.Cart", "name": "add", "arity": 2,
            "public": true, "file": "lib/shop.ex", "line_start": 4, "line_end": 7
        })
    );
    let edges: Vec<String> = value["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| {
            assert_eq!(edge["certain"], edge["basis"] == "written");
            let (from, to) = (edge["from"].as_str().unwrap(), edge["to"].as_str().unwrap());
            format!(
                "{from} {} {to} {} {}",
                edge["kind"].as_str().unwrap(),
                edge["basis"].as_str().unwrap(),
                edge["lines"]
            )
        })
        .collect();
    assert_eq!(
        edges,
        [
            "lib/shop.ex contains Shop written [1]",
            "Shop contains Shop.<>/2 written [2]",
            "Shop contains Shop.Cart written [3]",
            "Shop.<>/2 call Shop.Cart.add/2 written [2]",
            "Shop.Cart contains Shop.Cart.add/2 written [4]",
            "Shop.Cart contains Shop.Cart.sum/1 written [8]",
            "Shop.Cart.add/2 call Shop.Cart.sum/1 written [5,6]",
            "Shop.Cart.sum/1 module Shop written [8]",
            "Shop.Cart.sum/1 call Shop.<>/2 by_name [8]",
            "test/shop_test.exs contains ShopTest written [1]",
            "ShopTest contains ShopTest.a cart written [2]",
            "ShopTest.a cart contains ShopTest.a cart says \"<&>\"\\ written [3]",
            "ShopTest.a cart says \"<&>\"\\ call Shop.Cart.add/2 written [3]",
        ]
    );
}

#[test]
fn every_format_escapes_what_it_must() {
    let has = |format: Format, part: &str| {
        let text = export(SHOP, format);
        assert!(text.contains(part), "{part}\n{text}");
    };
    has(Format::Dot, r#""ShopTest.a cart says \"<&>\"\\" [label="a cart says \"<&>\"\\", "#);
    has(
        Format::Dot,
        r#""Shop.<>/2" -> "Shop.Cart.add/2" [kind="call", basis="written", certain=true, lines="2"];"#,
    );
    has(Format::Dot, r#"lines="8", style=dashed];"#);
    has(Format::GraphMl, r#"<data key="node_name">a cart says &quot;&lt;&amp;&gt;&quot;\</data>"#);
    has(Format::GraphMl, r#"<data key="node_arity">2</data><data key="node_public">true</data>"#);
    has(Format::GraphMl, r#"<key id="edge_certain" for="edge" attr.name="certain" attr.type="boolean"/>"#);
    has(Format::GraphMl, r#"<data key="edge_lines">5 6</data>"#);
    has(Format::Mermaid, r##"["a cart says #34;#60;#38;#62;#34;#92;"]"##);
    has(Format::Mermaid, "  subgraph m1[\"Shop\"]\n    n1[\"Shop\"]\n    n2[\"#60;#62;/2\"]\n");
    has(Format::Mermaid, "  n2 -->|call| n4\n");
    has(Format::Mermaid, "  n5 -.->|call| n2\n");
    has(Format::Cypher, r#"name: "a cart says \"<&>\"\\""#);
    has(Format::Cypher, "] AS row CREATE (n:Symbol:Function) SET n = row;\n");
    has(Format::Cypher, "CREATE (a)-[:CALLS {kind: row.kind");
    has(Format::Cypher, "] AS row MATCH (a:File {id: row.from}), (b:Symbol {id: row.to})");
    assert!(export(SHOP, Format::Cypher).starts_with("CREATE INDEX FOR (n:Symbol) ON (n.id);\n"));
}

#[test]
fn symbols_and_kinds_can_be_chosen() {
    let graph = graph(SHOP);
    let chosen =
        |names: &[&str]| names.iter().map(|name| graph.find(name).unwrap()[0].id).collect::<Vec<_>>();
    let text = Export::new().symbols(chosen(&["Shop.<>/2", "Shop.Cart.sum/1"])).text(&graph, Format::Json);
    let value = json(&text);
    assert_eq!(value["nodes"].as_array().unwrap().len(), 2);
    assert_eq!(value["edges"].as_array().unwrap().len(), 1);
    // The module between the file and the function is passed over.
    let part = Export::new().symbols(chosen(&["sum/1"])).kinds([LinkKind::Use]).holders(true);
    let value = json(&part.text(&graph, Format::Json));
    let edges = value["edges"].as_array().unwrap();
    assert_eq!((edges.len(), edges[0]["from"].as_str()), (1, Some("lib/shop.ex")));
    let nothing = json(&Export::new().symbols([]).holders(true).text(&graph, Format::Json));
    assert_eq!(nothing, serde_json::json!({"nodes": [], "edges": []}));
    for format in Format::ALL {
        assert_eq!(Format::of_name(format.as_str()), Some(format));
        assert!(!Export::new().symbols([]).text(&graph, format).is_empty());
    }
}

#[test]
fn ids_are_unique_and_stay() {
    let twice = "
        == a.ex
        defmodule A do
          @type t :: 1
          def t, do: 1
          def u, do: 1
        end
        defmodule A do
          def v, do: 1
        end
        == b.ex
        defmodule A do
          def u, do: 1
        end";
    assert_eq!(
        ids(&graph(twice)),
        [
            "A@a.ex:1 module",
            "A.t/0@a.ex type",
            "A.t/0@a.ex function",
            "A.u/0@a.ex",
            "A@a.ex:6 module",
            "A.v/0",
            "A@b.ex",
            "A.u/0@b.ex",
        ]
    );
    let graph = graph(twice);
    let b: Vec<_> =
        graph.symbols().filter(|symbol| &*symbol.file == "b.ex").map(|symbol| symbol.id).collect();
    let value = json(&Export::new().symbols(b).text(&graph, Format::Json));
    assert_eq!(value["nodes"][1]["id"], "A.u/0@b.ex");
}

#[test]
fn ids_are_such_that_databases_find_them() {
    let long = "ä".repeat(3000);
    let files = format!(
        "== a.ex\ndefmodule A do\n  test \" x \", do: 1\n  test \" x\", do: 1\n  test \"{long}1\", do: 1\n  test \"{long}2\", do: 1\nend\n"
    );
    let ids = ids(&graph(&files));
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 5, "{ids:?}");
    assert!(ids.iter().all(|id| id.len() < 600 && id.trim() == id), "{ids:?}");
}

#[test]
fn an_implementation_for_several_types_holds_its_own_functions() {
    let value = json(&export(
        "== p.ex\ndefimpl P, for: [Integer, Atom] do\n  def show(x), do: x\nend\n",
        Format::Json,
    ));
    let edges: Vec<_> =
        value["edges"].as_array().unwrap().iter().map(|edge| (&edge["from"], &edge["to"])).collect();
    for target in ["Integer", "Atom"] {
        let (module, function) = (format!("P.{target}").into(), format!("P.{target}.show/1").into());
        assert!(edges.contains(&(&module, &function)), "{edges:?}");
        assert!(edges.contains(&(&"p.ex".into(), &module)), "{edges:?}");
    }
}

#[test]
fn many_rows_come_in_batches() {
    let functions: String = (0..1203).map(|number| format!("  def f{number}, do: g()\n")).collect();
    let text = export(&format!("== a.ex\ndefmodule A do\n{functions}  def g, do: 1\nend\n"), Format::Cypher);
    assert_eq!(text.matches("CREATE (n:Symbol:Function)").count(), 3);
    assert_eq!(text.matches("[:CALLS ").count(), 3);
    assert_eq!(text.lines().filter(|line| line.ends_with(';')).count(), text.matches(";\n").count());
}

proptest! {
    #[test]
    fn no_name_breaks_a_format(names in prop::collection::vec(r#"[a-z<>&"'\\;:#{}\[\]|` \n\r\t\u{1}\u{7f}\u{2028}é漢-]{0,12}"#, 1..5)) {
        let escaped = |name: &String| name.replace('\\', "\\\\").replace('"', "\\\"").replace("#{", "\\#{");
        let tests: String = names.iter().map(|name| format!("  test \"{}\", do: A.f()\n", escaped(name))).collect();
        let graph = graph(&format!("== a.ex\ndefmodule A do\n{tests}  def f, do: 1\nend\n"));
        let all = Export::new().holders(true);
        let value = json(&all.text(&graph, Format::Json));
        let nodes = value["nodes"].as_array().unwrap();
        let ids: BTreeSet<_> = nodes.iter().map(|node| node["id"].as_str().unwrap()).collect();
        prop_assert_eq!(ids.len(), nodes.len());
        let written: Vec<&str> = nodes[1..].iter().map(|node| node["name"].as_str().unwrap()).collect();
        let known: Vec<String> = graph.symbols().map(|symbol| symbol.name.to_string()).collect();
        prop_assert_eq!(written, known);

        let cypher = all.text(&graph, Format::Cypher);
        for line in cypher.lines() {
            // Outside of strings there is nothing but what this module writes.
            let outside = without_strings(line).ok_or_else(|| TestCaseError::fail(line.to_owned()))?;
            prop_assert!(outside.chars().all(|c| c.is_ascii_alphanumeric() || " _{}()[]<>:;,.=-".contains(c)), "{}", line);
            prop_assert_eq!(outside.contains(';'), line.ends_with(';'));
        }
        for line in all.text(&graph, Format::Mermaid).lines() {
            prop_assert!(matches!(line.matches('"').count(), 0 | 2), "{}", line);
        }
        let dot = all.text(&graph, Format::Dot);
        let outside = without_strings(&dot).ok_or_else(|| TestCaseError::fail(dot.clone()))?;
        prop_assert!(outside.chars().all(|c| c.is_ascii_alphanumeric() || " \n_{}[];,=->".contains(c)), "{}", dot);
        let xml = all.text(&graph, Format::GraphMl);
        prop_assert!(!xml.chars().any(|c| c < ' ' && c != '\n' && c != '\t'));
        let ends = xml.matches("</data>").count() + xml.matches("</node>").count() + xml.matches("</edge>").count() + 2;
        prop_assert_eq!(xml.matches("</").count(), ends);
    }
}

/// What is not between quotation marks; `None` when a string does not end.
fn without_strings(text: &str) -> Option<String> {
    let mut outside = String::new();
    let mut letters = text.chars();
    while let Some(c) = letters.next() {
        if c != '"' {
            outside.push(c);
            continue;
        }
        loop {
            match letters.next()? {
                '\\' => drop(letters.next()?),
                '"' => break,
                _ => {}
            }
        }
    }
    Some(outside)
}
