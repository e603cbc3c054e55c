//! Text of any other kind: configuration, data, scripts, style sheets, programs in other languages, prose.
//!
//! What belongs together is told by indentation and brackets, as a person sees it without knowing the language. A block is a
//! line and all that is further in below it, up to the next line of its kind: a key with its value, a rule, a statement, a
//! function with its closing brace. Comments belong to what they stand on. Small blocks are joined with their neighbours,
//! and a large one becomes its blocks one step further in, as in cAST (Zhang et al., 2025), a few steps deep; what is larger
//! still is cut at lines.

use std::sync::Arc;

use super::{LARGEST, Lines, SMALL, Unit, text_unit};
use crate::source::{File, Language};

/// So many steps in are looked at: more is nesting that nobody wrote by hand.
const DEEPEST: usize = 8;
/// Of the line that a block begins with, so many characters name it.
const LONGEST_TITLE: usize = 60;

/// The units of a file. Blocks that are together at most `most` large are joined.
pub(super) fn units(file: &File, lines: &Lines, most: usize) -> Vec<Unit> {
    let Some((first, last)) = lines.count().checked_sub(1).and_then(|last| lines.trimmed(0, last)) else {
        return Vec::new();
    };
    let begins = Scan::of(file).begins(lines);
    let mut outline = Outline { file, lines, begins, most, titles: Vec::new(), units: Vec::new() };
    outline.descend(first, last, None);
    outline.units
}

struct Outline<'a> {
    file: &'a File,
    lines: &'a Lines,
    /// Of each line that may begin a block, how far in it is.
    begins: Vec<Option<Level>>,
    most: usize,
    /// Of the blocks around, the lines that they begin with.
    titles: Vec<&'a str>,
    units: Vec<Unit>,
}

/// How far in a line is: brackets before indentation, which counts where nobody indented.
type Level = (usize, usize);

/// Lines `first..=last`; `head` is the one that says what it is.
#[derive(Clone, Copy)]
struct Block {
    first: usize,
    last: usize,
    head: usize,
}

impl<'a> Outline<'a> {
    /// The units of lines `first..=last`; if they are a block, of what is in it below its `head`.
    fn descend(&mut self, first: usize, last: usize, head: Option<usize>) {
        let blocks = self.blocks(first, last, head.map_or(first, |head| head + 1));
        if head.is_some() && blocks.len() == 1 {
            self.units.push(text_unit(first, last, self.header()));
            return;
        }
        let mut window: Option<(Block, usize)> = None;
        for block in blocks {
            let size = self.lines.size(block.first, block.last);
            window = Some(match window {
                None => (block, size),
                Some((before, sum)) if self.are_joined(&before, sum, &block, size) => {
                    let head = if self.group(before.head).is_some() { before.head } else { block.head };
                    (Block { last: block.last, head, ..before }, sum + size)
                }
                // What leads to a block goes with the first part of it.
                Some((before, sum)) if sum < SMALL && size > LARGEST => {
                    (Block { first: before.first, ..block }, sum + size)
                }
                Some((before, sum)) => {
                    self.close(before, sum);
                    (block, size)
                }
            });
        }
        if let Some((block, size)) = window {
            self.close(block, size);
        }
    }

    fn are_joined(&self, before: &Block, sum: usize, block: &Block, size: usize) -> bool {
        let groups = (self.group(before.head), self.group(block.head));
        let differ = matches!(groups, (Some(one), Some(other)) if one != other);
        let fit = sum + size <= self.most || (sum < SMALL && sum + size <= LARGEST);
        fit && !differ
    }

    fn close(&mut self, block: Block, size: usize) {
        let Some((first, last)) = self.lines.trimmed(block.first, block.last) else { return };
        if size > LARGEST && self.titles.len() < DEEPEST && block.head < last {
            self.titles.push(self.title(block.head));
            self.descend(first, last, Some(block.head));
            self.titles.pop();
            return;
        }
        self.units.push(text_unit(first, last, self.header()));
    }

    /// `first..=last` as blocks, without gaps between them, that begin where `inside..=last` is least far in.
    fn blocks(&self, first: usize, last: usize, inside: usize) -> Vec<Block> {
        let level = (inside..=last).filter_map(|line| self.begins[line]).min();
        let mut block = Block { first, last, head: first };
        let mut blocks = Vec::new();
        let mut comment = false;
        for line in inside..=last {
            if level.is_none() || self.begins[line] != level {
                comment &= !self.lines.is_blank(line);
                continue;
            }
            if comment || line == first {
                block.head = line;
            } else {
                blocks.push(Block { last: line - 1, ..block });
                block = Block { first: line, last, head: line };
            }
            comment = is_comment(self.text(line));
        }
        blocks.push(block);
        blocks
    }

    fn text(&self, line: usize) -> &'a str {
        self.file.text[self.lines.starts[line]..self.lines.ends[line]].trim()
    }

    /// Blocks of two groups are not joined: the settings of two applications.
    fn group(&self, line: usize) -> Option<&'a str> {
        let text = self.text(line);
        let rest = text.strip_prefix("config :").filter(|_| self.file.language == Language::Elixir)?;
        Some(&rest[..rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())])
    }

    /// A line as the name of what begins with it; empty for a bracket alone.
    fn title(&self, line: usize) -> &'a str {
        let text = self.text(line);
        let end = text.char_indices().nth(LONGEST_TITLE).map_or(text.len(), |(at, _)| at);
        text[..end].trim_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '@' | '/' | '.' | '#'))
    }

    fn header(&self) -> Arc<str> {
        let titles: Vec<&str> = self.titles.iter().copied().filter(|title| !title.is_empty()).collect();
        match titles.is_empty() {
            true => self.file.path.clone(),
            false => format!("{} ({})", titles.join(" › "), self.file.path).into(),
        }
    }
}

/// What is particular to a kind of text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Every line begins something.
    Lines,
    /// Lines without a blank one between them are a paragraph.
    Paragraphs,
    /// What is below a line such as `[section]` belongs to it.
    Sections,
    /// A statement ends with `;`.
    Statements,
}

struct Scan<'a> {
    text: &'a str,
    kind: Kind,
}

impl<'a> Scan<'a> {
    fn of(file: &'a File) -> Self {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        let kind = match name.rsplit_once('.').map(|(_, extension)| extension) {
            Some("txt" | "rst" | "adoc") => Kind::Paragraphs,
            None if !matches!(
                name,
                "Makefile" | "Dockerfile" | "Containerfile" | "Procfile" | "Justfile"
            ) =>
            {
                Kind::Paragraphs
            }
            Some("toml" | "ini" | "cfg" | "conf" | "editorconfig") => Kind::Sections,
            Some("sql") => Kind::Statements,
            _ => Kind::Lines,
        };
        Scan { text: &file.text, kind }
    }

    /// Of each line that may begin a block, its level.
    fn begins(&self, lines: &Lines) -> Vec<Option<Level>> {
        let mut begins = vec![None; lines.count()];
        let (mut depth, mut within) = (0_usize, 0);
        let mut before: Option<&str> = None;
        for line in 0..lines.count() {
            if lines.is_blank(line) {
                before = None;
                continue;
            }
            let text = self.text[lines.starts[line]..lines.ends[line]].trim();
            let indent = lines.indents[line];
            let closes = is_closing(text);
            // A bracket in a comment or a text must not move everything below it.
            if before.is_none() && indent == 0 && !closes {
                depth = 0;
            }
            if self.kind == Kind::Sections && depth == 0 && text.starts_with('[') && text.ends_with(']') {
                begins[line] = Some((0, 0));
                let is_on_top = |above: &usize| {
                    !lines.is_blank(*above)
                        && is_comment(self.text[lines.starts[*above]..lines.ends[*above]].trim())
                };
                for above in (0..line).rev().take_while(is_on_top) {
                    begins[above] = Some((0, 0));
                }
                (within, before) = (1, Some(text));
                continue;
            }
            let continues = before.is_some_and(|before| match self.kind {
                Kind::Paragraphs => true,
                Kind::Statements => !before.ends_with(';'),
                _ => before.ends_with('\\'),
            });
            if !closes && !continues {
                begins[line] = Some((depth + within, indent));
            }
            depth = depth_after(text, depth);
            before = Some(text);
        }
        begins
    }
}

/// Whether a line ends what is above it rather than beginning something.
fn is_closing(text: &str) -> bool {
    let word = text.find(|c: char| !c.is_ascii_lowercase()).map_or(text, |end| &text[..end]);
    text.starts_with(['}', ')', ']'])
        || ["</", "*/", "-->", "/>"].iter().any(|mark| text.starts_with(mark))
        || matches!(word, "end" | "fi" | "done" | "esac" | "else" | "elif" | "then")
}

fn is_comment(text: &str) -> bool {
    ["#", "//", "/*", "*", "--", "%", "<!--"].iter().any(|mark| text.starts_with(mark))
}

/// How many brackets are open behind a line that `depth` are open before. Those in double quotes do not count.
fn depth_after(text: &str, mut depth: usize) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => at = closing_quote(bytes, at).unwrap_or(bytes.len()),
            _ => {}
        }
        at += 1;
    }
    depth
}

fn closing_quote(bytes: &[u8], open: usize) -> Option<usize> {
    let mut at = open + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'"' => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::chunks;
    use super::super::tests::{check_cover, shown};
    use crate::source::File;
    use crate::syntax::FileFacts;

    /// The first lines of the chunks, and their headers where these are more than the path.
    fn check(path: &str, text: &str, expected: &[&str]) {
        let chunks = chunks(&File::new(path, text), &FileFacts::default());
        check_cover(text, &chunks);
        let of = |(chunk, shown): (&crate::syntax::Chunk, String)| {
            let first = text.lines().nth(chunk.span.line_start as usize - 1).unwrap_or_default().trim();
            let header = shown.split_once('[').map_or("", |(_, rest)| rest.trim_end_matches(']'));
            if header == path { first.to_string() } else { format!("{first} [{header}]") }
        };
        let found: Vec<String> = chunks.iter().zip(shown(&chunks)).map(of).collect();
        assert_eq!(found, expected, "{path}");
    }

    /// Many lines of the kind that `line` makes.
    fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
        (0..count).map(|at| line(at) + "\n").collect()
    }

    #[test]
    fn small_texts_are_one_chunk() {
        check("a.json", "{\n  \"a\": 1,\n\n  \"b\": [2]\n}\n", &["{"]);
        check(
            "Dockerfile",
            "FROM elixir:1.18\n\nRUN mix deps.get && \\\n  mix compile\nCMD [\"mix\"]\n",
            &["FROM elixir:1.18"],
        );
    }

    #[test]
    fn keys_of_yaml_are_units_and_those_inside_of_large_ones_name_them() {
        let service = |name: &str| {
            format!("  {name}:\n{}", lines(30, |at| format!("    setting_{at}: a value that is long enough")))
        };
        let text =
            format!("version: 3\nservices:\n{}{}{}", service("web"), service("db"), "volumes:\n  data: {}\n");
        let expected = ["version: 3 [services (compose.yml)]", "db: [services (compose.yml)]", "volumes:"];
        check("compose.yml", &text, &expected);
    }

    #[test]
    fn json_is_cut_at_its_keys_also_without_indentation() {
        let group = |name: &str| {
            format!(
                "\"{name}\": {{\n{}}},\n",
                lines(25, |at| format!("\"package_with_a_name_{at}\": \"1.0\","))
            )
        };
        let text = format!(
            "{{\n\"name\": \"(x\",\n{}{}{}\"last\": 1\n}}\n",
            group("dependencies"),
            group("scripts"),
            group("engines")
        );
        check("package.json", &text, &["{", "\"scripts\": {", "\"engines\": {", "\"last\": 1"]);
    }

    #[test]
    fn sections_of_toml_hold_their_keys() {
        let section = |name: &str| {
            format!(
                "# About {name}.\n[{name}]\n{}\n",
                lines(14, |at| format!("key_number_{at} = [\"a value that is long\"]"))
            )
        };
        let text = format!("{}{}", section("package"), section("dependencies"));
        check("Cargo.toml", &text, &["# About package.", "# About dependencies."]);
    }

    #[test]
    fn statements_rules_targets_and_declarations_are_units() {
        let body = lines(12, |at| format!("  column_{at} some_type_of_it_with_a_name not null,"));
        let sql = format!(
            "create table a (\n{body}  z int\n);\n\n-- What b is.\ncreate table b (\n{body}  z int\n)\nwith x;\n"
        );
        check("a.sql", &sql, &["create table a (", "-- What b is."]);
        let css = lines(12, |at| format!("  property-number-{at}: some-value-that-is-long;"));
        check("a.css", &format!("/* A. */\n.a {{\n{css}}}\n#b {{\n{css}}}\n"), &["/* A. */", "#b {"]);
        let make = lines(12, |at| format!("\tcommand --with-a-long-option {at} argument"));
        check("Makefile", &format!("all: x\n{make}\nclean:\n{make}"), &["all: x", "clean:"]);
        let js = lines(12, |at| format!("  call_of_a_function(one, two, {at}, {{}});"));
        let text = format!(
            "import a from \"b\"\n\n/** Does. */\nexport function f() {{\n{js}}}\n\nconst g = () => {{\n{js}}};\n"
        );
        check("a.ts", &text, &["import a from \"b\"", "const g = () => {"]);
    }

    #[test]
    fn configuration_is_grouped_by_application() {
        let text = "import Config\n\nconfig :shop, a: 1\nconfig :shop, Shop.Repo,\n  b: 2\n\n# Logs.\nconfig :logger, level: :info\n\nimport_config \"x.exs\"\n";
        check("config/config.exs", text, &["import Config", "# Logs."]);
    }

    #[test]
    fn paragraphs_are_not_torn() {
        let paragraph =
            lines(6, |at| format!("Line {at} of a paragraph of prose that is as long as lines are."));
        let text = format!("{paragraph}\n{paragraph}\n{paragraph}");
        let first = "Line 0 of a paragraph of prose that is as long as lines are.";
        check("a.txt", &text, &[first, first]);
    }

    #[test]
    fn nesting_without_end_is_cut() {
        let deep = lines(20_000, |at| format!("{}k{at}:", " ".repeat(at.min(400))));
        let brackets = "[\n".repeat(50_000);
        for (path, text) in [("a.yml", deep), ("a.json", brackets), ("a.js", "{".repeat(100_000))] {
            let chunks = chunks(&File::new(path, text.as_str()), &FileFacts::default());
            check_cover(&text, &chunks);
        }
    }
}
