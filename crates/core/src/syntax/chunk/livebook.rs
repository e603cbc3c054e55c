//! Livebook notebooks: Markdown whose code cells are Elixir. What a cell printed is kept in them and says nothing that the
//! cell does not: outputs are in no chunk.

use super::markdown::{FencePosition, Fences, Headings};
use super::{Definition, JOINED, Lines, SMALL, Unit, join, owners, text_unit, unit};
use crate::source::File;

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Prose,
    /// A line of an Elixir cell; its fences are prose.
    Code,
    Output,
}

/// The text with all but the Elixir cells blank, byte for byte.
pub(in crate::syntax) fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    for (line, kind) in text.split_inclusive('\n').zip(kinds(text)) {
        match kind {
            Line::Code => code.push_str(line),
            _ => code.extend(line.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' })),
        }
    }
    code
}

fn kinds(text: &str) -> Vec<Line> {
    let mut kinds = Vec::new();
    let mut fences = Fences::default();
    // What the comment before a block said of it, and what the lines of the block are.
    let (mut said, mut inside) = (Line::Code, Line::Prose);
    for line in text.lines() {
        let bare = line.trim();
        kinds.push(match fences.read(line) {
            FencePosition::Outside if bare.is_empty() => Line::Prose,
            FencePosition::Outside => {
                let note = bare.strip_prefix("<!-- livebook:").unwrap_or_default();
                said = match () {
                    () if note.contains("\"output\":true") => Line::Output,
                    () if note.contains("\"force_markdown\":true") => Line::Prose,
                    () => Line::Code,
                };
                if said == Line::Output { Line::Output } else { Line::Prose }
            }
            FencePosition::Opens => {
                let is_elixir = bare.trim_start_matches(['`', '~']).trim() == "elixir";
                inside = match said {
                    Line::Code if !is_elixir => Line::Prose,
                    said => said,
                };
                said = Line::Code;
                if inside == Line::Output { Line::Output } else { Line::Prose }
            }
            FencePosition::Inside => inside,
            FencePosition::Closes if inside == Line::Output => Line::Output,
            FencePosition::Closes => Line::Prose,
        });
    }
    kinds
}

/// The units of a notebook: what the cells define, and sections with the other cells in them.
pub(super) fn units(file: &File, lines: &Lines, definitions: &[Definition]) -> Vec<Unit> {
    let kinds = kinds(&file.text);
    let owners = fenced(file, lines, owners(lines, definitions));
    let (mut headings, mut fences) = (Headings::of(file), Fences::default());
    // Runs are what no output parts: nothing is joined over one.
    let mut runs: Vec<Vec<Unit>> = vec![Vec::new()];
    for line in 0..lines.count() {
        let text = &file.text[lines.starts[line]..lines.ends[line]];
        let heading = fences.read(text) == FencePosition::Outside && headings.read(text);
        if lines.is_blank(line) {
            continue;
        }
        let last = runs.len() - 1;
        let run = &mut runs[last];
        match (kinds[line], owners[line]) {
            (Line::Output, _) => {
                if !run.is_empty() {
                    runs.push(Vec::new());
                }
            }
            (_, Some(at)) => match run.last_mut() {
                Some(unit) if unit.owner == Some(at) => unit.last = line,
                _ => run.push(unit(file, definitions, Some(at), line)),
            },
            (_, None) => match run.last_mut() {
                Some(unit) if unit.owner.is_none() && !heading => unit.last = line,
                _ => run.push(text_unit(line, line, headings.header.clone())),
            },
        }
    }
    let joined = |run: Vec<Unit>| join(sections(run, lines), file, lines, definitions);
    runs.into_iter().flat_map(joined).collect()
}

/// The fences of a cell belong to what its first and its last line belong to.
fn fenced(file: &File, lines: &Lines, mut owners: Vec<Option<usize>>) -> Vec<Option<usize>> {
    let mut fences = Fences::default();
    let places: Vec<FencePosition> = (0..lines.count())
        .map(|line| fences.read(&file.text[lines.starts[line]..lines.ends[line]]))
        .collect();
    for line in 0..lines.count() {
        let beside = match places[line] {
            FencePosition::Opens => (line + 1..lines.count()).find(|line| !lines.is_blank(*line)),
            FencePosition::Closes => (0..line).rev().find(|line| !lines.is_blank(*line)),
            _ => None,
        };
        if let Some(owner) = beside.and_then(|beside| owners[beside]) {
            owners[line] = Some(owner);
        }
    }
    owners
}

/// Small sections go with the next one, as in Markdown.
fn sections(run: Vec<Unit>, lines: &Lines) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    for unit in run {
        match units.last_mut() {
            Some(before)
                if before.owner.is_none()
                    && unit.owner.is_none()
                    && lines.size(before.first, before.last) < SMALL
                    && lines.size(unit.first, unit.last) < JOINED =>
            {
                (before.last, before.header) = (unit.last, unit.header);
            }
            _ => units.push(unit),
        }
    }
    units
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::shown;
    use super::*;
    use crate::syntax::analyse;

    const NOTEBOOK: &str = r#"# Carts

How carts are filled, in some words.

```elixir
Mix.install([:decimal])
```

<!-- livebook:{"output":true} -->

```
:ok
```

## Adding

What is added is in front of what was added before, so that the last one is the first to be seen by whoever looks at the cart that it was put into.

```elixir
defmodule Notes.Cart do
  @doc "Puts an item in front of all that are there, whatever they are, and gives the cart with all of them in it."
  def put(cart, item), do: [item | cart]
end

Notes.Cart.put([], :apple)
```

<!-- livebook:{"output":true} -->

````
[:apple]
```
defmodule Fake do
end
````

<!-- livebook:{"force_markdown":true} -->

```elixir
defmodule Shown do
end
```

```erlang
'not elixir'.
```
"#;

    #[test]
    fn cells_are_read_as_elixir_and_outputs_are_left_out() {
        let file = File::new("guide.livemd", NOTEBOOK);
        let facts = analyse(&file);
        assert!(facts.diagnostics.is_empty(), "{:?}", facts.diagnostics);
        let names: Vec<String> = facts.definitions.iter().map(Definition::qualified).collect();
        assert!(names.contains(&"Notes.Cart.put/2".to_string()), "{names:?}");
        assert!(!names.iter().any(|name| name.contains("Fake") || name.contains("Shown")), "{names:?}");
        let put = facts.definitions.iter().find(|it| &*it.name == "put").unwrap();
        assert!(file.slice(put.span).starts_with("@doc") && file.slice(put.span).ends_with("[item | cart]"));
        assert_eq!(
            shown(&facts.chunks),
            [
                "1-7  [Carts (guide.livemd)]",
                "15-17  [Carts › Adding (guide.livemd)]",
                "19-23 Notes.Cart.put/2 [Notes.Cart (guide.livemd)]",
                "25-26  [Carts › Adding (guide.livemd)]",
                "37-46  [Carts › Adding (guide.livemd)]",
            ]
        );
        for chunk in &facts.chunks {
            let text = file.slice(chunk.span);
            assert!(!text.contains("output") && !text.contains(":ok\n") && !text.contains("Fake"), "{text}");
        }
    }

    #[test]
    fn the_code_has_each_byte_at_its_place() {
        let code = code(NOTEBOOK);
        assert_eq!(code.len(), NOTEBOOK.len());
        assert_eq!(code.find("defmodule Notes.Cart"), NOTEBOOK.find("defmodule Notes.Cart"));
        assert!(!code.contains("Fake") && !code.contains("›") && !code.contains('#'));
    }

    fn line() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec![
            "",
            "# Title",
            "some prose",
            "```elixir",
            "```",
            "````",
            "~~~",
            "defmodule A do",
            "  def b(c), do: c",
            "  @doc \"é\"",
            "end",
            "<!-- livebook:{\"output\":true} -->",
            "<!-- livebook:{\"force_markdown\":true} -->",
            "text <!-- not closed",
        ])
    }

    proptest! {
        #[test]
        fn each_line_but_outputs_is_in_exactly_one_chunk(lines in prop::collection::vec(line(), 0..40)) {
            let text = lines.join("\n");
            let facts = analyse(&File::new("a.livemd", text.as_str()));
            let mut times = vec![0; lines.len()];
            for chunk in &facts.chunks {
                (chunk.span.line_start..=chunk.span.line_end).for_each(|line| times[line as usize - 1] += 1);
            }
            for ((line, kind), times) in lines.iter().zip(kinds(&text)).zip(times) {
                let expected = usize::from(kind != Line::Output);
                prop_assert!(times == expected || line.is_empty() && times <= 1, "{line:?} is in {times} chunks of\n{text}");
            }
        }
    }
}
